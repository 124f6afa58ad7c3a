"""Notify on the real servers, with a workspace of five members in its directory.

The topics are made once for all of these tests: making and deleting them takes longer than a test.
What is each test's own is its workspace and its database.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import AsyncMongoClient

from libs.events.ids import random_id
from libs.runtime.broker import publishing
from libs.runtime.topics import create_topics
from services.notify import polling
from tests.support.notify.events import directory_states
from tests.support.notify.service import TOPICS, Notify
from tests.support.notify.smtp_server import SmtpServer, smtp_server
from tests.support.trust import SERVICE_KEYS


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as server:
        yield server


@pytest.fixture(scope="package")
async def shared_namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    namespace = random_id("notify") + "."
    made = await create_topics(kafka_bootstrap, namespace, topics=TOPICS)
    yield namespace
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_topics(made)
    await admin.close()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due again is looked for often: only how soon it is found depends on it."""
    monkeypatch.setattr(polling, "POLL_SECONDS", 0.1)


@pytest.fixture
async def notify(
    often: None,
    kafka_bootstrap: str,
    shared_namespace: str,
    mongodb_url: str,
    mongodb_name: str,
    smtp: SmtpServer,
) -> AsyncIterator[Notify]:
    environment = {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "PARLEY_KAFKA_NAMESPACE": shared_namespace,
        "PARLEY_DEPLOYMENT_KEY": bytes(range(32)).hex(),
        **SERVICE_KEYS,
        "PARLEY_MONGODB_URL": mongodb_url,
        "PARLEY_MONGODB_DATABASE": mongodb_name,
        "PARLEY_NOTIFY_CONSOLE_URL": "https://inbox.example/",
        "PARLEY_NOTIFY_SMTP_URL": smtp.url,
        "PARLEY_NOTIFY_EMAIL_FROM": "parley@inbox.example",
        "PARLEY_NOTIFY_RETRY_SECONDS": "0.1",
    }
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url, tz_aware=True)
    async with publishing(kafka_bootstrap, shared_namespace) as publisher, client:
        made = Notify(environment, publisher, client[mongodb_name])
        await made.states(directory_states(made.workspace_id))
        yield made
