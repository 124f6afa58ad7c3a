"""A world for each test: in the service that all share, or one that the test starts itself."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from pymongo import MongoClient
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.directory import GroupState
from libs.runtime.mongo import Document, mongo_client
from services.conversation.settings import ConversationSettings
from tests.support.conversation.rows import Made
from tests.support.conversation.world import World, serving, settings_of, world_of


@asynccontextmanager
async def _namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    """Topics cost seconds to make, so they are made twice and not for each test: what the tests
    write into them is told apart by its workspace."""
    namespace = f"t{uuid.uuid4().hex[:8]}."
    yield namespace
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(namespace)]
        await admin.delete_topics(names)
    finally:
        await admin.close()


@pytest.fixture(scope="session")
async def shared_namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    """Where the service of all tests runs."""
    async with _namespace(kafka_bootstrap) as namespace:
        yield namespace


@pytest.fixture(scope="session")
async def own_namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    """Where tests, one after the other, run services of their own."""
    async with _namespace(kafka_bootstrap) as namespace:
        yield namespace


@pytest.fixture(scope="session")
def shared_database(mongodb_url: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:8]}"
    yield name
    with MongoClient[Document](mongodb_url) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
async def shared(
    kafka_bootstrap: str, shared_namespace: str, mongodb_url: str, shared_database: str
) -> AsyncIterator[World]:
    """One running service for all tests that need nothing special of it."""
    settings = settings_of(kafka_bootstrap, shared_namespace, mongodb_url, shared_database)
    async with world_of(settings) as world, serving(world):
        yield world


@pytest.fixture
async def served(shared: World) -> World:
    """A workspace of the test's own, in the shared service."""
    world = shared.beside()
    await world.begin()
    return world


@pytest.fixture
def settings(
    kafka_bootstrap: str, own_namespace: str, mongodb_url: str, mongodb_name: str
) -> ConversationSettings:
    return settings_of(kafka_bootstrap, own_namespace, mongodb_url, mongodb_name)


@pytest.fixture
async def world(settings: ConversationSettings) -> AsyncIterator[World]:
    """The surroundings, for tests that start and stop the service themselves."""
    async with world_of(settings) as world:
        yield world


@pytest.fixture
async def database(settings: ConversationSettings) -> AsyncIterator[AsyncDatabase[Document]]:
    """The service's database, seen from outside."""
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-tests")
    async with client:
        yield client[settings.mongodb_database]


@pytest.fixture
async def made(mongodb_url: str, mongodb_name: str) -> AsyncIterator[Made]:
    """Rows in a database of the test's own, without a service."""
    async with mongo_client(mongodb_url, "parley-tests") as client:
        made = Made(
            client[mongodb_name],
            GroupState(group_id="grp_all", name="All"),
            GroupState(group_id="grp_closed", name="Closed", member_ids=("mem_other",)),
        )
        await made.begin()
        yield made
