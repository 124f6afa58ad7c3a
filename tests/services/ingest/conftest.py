"""Ingest on the real servers: one that runs for all tests, and one that a test starts itself.

Where a test can live beside others it takes ``shop``: a bot and its source of its own, on the
ingest that runs for all of them. Where it has to stop, break or prepare something it takes
``ingest``, which is not started and has a Kafka namespace and a database of its own.
"""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import AsyncMongoClient

from libs.runtime.broker import publishing
from libs.runtime.kafka import Publisher
from libs.runtime.topics import create_topics
from parley.doubles.bot import Bot
from parley.doubles.bot_api import BotApiDouble
from services.ingest.sending.attempts import Attempts
from tests.support.ingest.attempts import AttemptsOf, Database
from tests.support.ingest.service import (
    ANNA,
    BORIS,
    BOT_TOKEN,
    SOURCE_ID,
    TOPICS,
    WORKSPACE,
    Ingest,
    Live,
    Shop,
    environment_of,
    telegram_source,
)
from tests.support.kafka import Tap, publish_state


@pytest.fixture(scope="package")
async def live(
    kafka_bootstrap: str, mongodb_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Live]:
    name = f"ingest_{uuid.uuid4().hex[:8]}"
    environment = environment_of(
        kafka_bootstrap, f"{name}.", mongodb_url, name, tmp_path_factory.mktemp("ingest")
    )
    made = await create_topics(kafka_bootstrap, f"{name}.", topics=TOPICS)
    async with (
        BotApiDouble() as telegram,
        publishing(kafka_bootstrap, f"{name}.") as publisher,
        Tap(kafka_bootstrap, [f"{name}.parley.delivery"]) as delivery,
        Tap(kafka_bootstrap, [f"{name}.parley.inbound"]) as inbound,
        Ingest(kafka_bootstrap, f"{name}.", environment).running(
            PARLEY_INGEST_TELEGRAM_API_URL=telegram.url
        ) as client,
    ):
        yield Live(client, publisher, telegram, delivery, inbound, environment)
    async with AsyncMongoClient[dict[str, Any]](mongodb_url) as mongo:
        await mongo.drop_database(name)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_topics(made)
    await admin.close()


@pytest.fixture
async def publisher(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Publisher]:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=TOPICS)
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        yield publisher


@pytest.fixture
async def ingest(
    kafka_bootstrap: str,
    kafka_namespace: str,
    mongodb_url: str,
    mongodb_name: str,
    publisher: Publisher,
    tmp_path: Path,
) -> Ingest:
    """Not started yet; its topics are there, and the source is on the directory."""
    await publish_state(publisher, telegram_source(), SOURCE_ID, WORKSPACE)
    environment = environment_of(
        kafka_bootstrap, kafka_namespace, mongodb_url, mongodb_name, tmp_path
    )
    return Ingest(kafka_bootstrap, kafka_namespace, environment)


@pytest.fixture
async def own_telegram(ingest: Ingest) -> AsyncIterator[BotApiDouble]:
    """For the ingest that the test starts itself."""
    async with BotApiDouble() as double:
        ingest.environment["PARLEY_INGEST_TELEGRAM_API_URL"] = double.url
        yield double


@pytest.fixture
def bot(own_telegram: BotApiDouble) -> Bot:
    """Of the source that is on the directory of ``ingest``."""
    bot = own_telegram.add_bot(BOT_TOKEN)
    bot.chats |= {ANNA, BORIS}
    return bot


@pytest.fixture
async def shop(live: Live) -> Shop:
    token = f"{uuid.uuid4().int % 10**12}:secret"
    source = telegram_source(token)
    shop = Shop(live, live.telegram.add_bot(token), source)
    await live.connect(source)
    return shop


@pytest.fixture
async def database(ingest: Ingest) -> AsyncIterator[Database]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        ingest.environment["PARLEY_MONGODB_URL"], tz_aware=True
    )
    async with client:
        yield client[ingest.environment["PARLEY_MONGODB_DATABASE"]]


@pytest.fixture
def attempts(database: Database) -> AttemptsOf:
    """Of a replica by its name: one that dies as soon as it has written."""
    return lambda owner: Attempts(database["ingest_attempts"], owner, timedelta(0))
