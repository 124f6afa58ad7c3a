"""One small composition, with conversation behind it, for all tests here.

Each test connects a source of its own, in a workspace of its own.
"""

import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import AsyncMongoClient

from libs.runtime.broker import publishing
from libs.runtime.process import running
from libs.runtime.settings import DeploymentSettings, load
from libs.runtime.topics import create_topics
from services.conversation.app import SERVICE as CONVERSATION
from services.conversation.settings import ConversationSettings
from tests.support.http import ready
from tests.support.ingest.widget.site import (
    Site,
    environment_for,
    widget_service,
)
from tests.support.ingest.widget.stack import GENEROUS, Stack


@pytest.fixture(scope="session")
async def widget_namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    """One set of topics for all tests here: making them takes longer than most of the tests."""
    namespace = f"t{uuid.uuid4().hex[:8]}."
    names = await create_topics(kafka_bootstrap, namespace)
    yield namespace
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(names)
    finally:
        await admin.close()


@pytest.fixture(scope="session")
async def stack(
    kafka_bootstrap: str, widget_namespace: str, mongodb_url: str
) -> AsyncIterator[Stack]:
    environment = environment_for(kafka_bootstrap, widget_namespace)
    database = "test_" + uuid.uuid4().hex[:8]
    mongo = {"PARLEY_MONGODB_URL": mongodb_url, "PARLEY_MONGODB_DATABASE": database}
    own = load(DeploymentSettings, environment)
    anchors = {"PARLEY_CONVERSATION_ANCHOR_URL": "memory:///"}
    desk = load(ConversationSettings, environment | mongo | anchors)
    async with (
        aiohttp.ClientSession() as http,
        AsyncMongoClient[dict[str, object]](mongodb_url) as client,
        publishing(kafka_bootstrap, widget_namespace) as publisher,
        running(CONVERSATION, desk) as (desk_url, _),
        running(widget_service(desk_url, limits=GENEROUS), own) as (url, _),
    ):
        await ready(http, desk_url)
        await ready(http, url)
        yield Stack(kafka_bootstrap, widget_namespace, publisher, http, mongo, desk_url, url)
        await client.drop_database(database)


@pytest.fixture
async def site(stack: Stack) -> Site:
    return await stack.site()
