"""The real servers for the tests that ask for them; a test that asks for none starts none.

All tests of a run share one Kafka and one MongoDB and meet neither's data of another test: each has
its own prefix for topics and groups, its own databases. Several runs may share servers too, when
``PARLEY_TEST_KAFKA_BOOTSTRAP`` and ``PARLEY_TEST_MONGODB_URL`` say where they are.
"""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import clickhouse_connect
import pytest
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import settings
from pymongo import MongoClient

from libs.devstack import Devstack, Servers
from tests.support.containers import images_are_there, kafka_and_mongodb

# An example that takes long says something about the machine, and nothing about what it tries.
settings.register_profile("parley", deadline=None)
settings.load_profile("parley")


def _unique(prefix: str) -> str:
    return prefix + uuid.uuid4().hex[:8]


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> Iterator[None]:
    """structlog's own default paints each local variable of a traceback, for seconds."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Started once per test session, without any data."""
    kafka = os.environ.get("PARLEY_TEST_KAFKA_BOOTSTRAP")
    mongodb = os.environ.get("PARLEY_TEST_MONGODB_URL")
    with ExitStack() as stack:
        if kafka is None and mongodb is None and images_are_there():
            kafka, mongodb = stack.enter_context(kafka_and_mongodb())
        folder = tmp_path_factory.mktemp("devstack")
        yield stack.enter_context(
            Devstack(folder, kafka_bootstrap=kafka, mongodb_url=mongodb)
        ).servers


@pytest.fixture(scope="session")
def kafka_bootstrap(servers: Servers) -> str:
    return servers.kafka_bootstrap


@pytest.fixture
async def kafka_namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    """A prefix for names of topics and groups, such as ``t3f9a….``; its topics are deleted."""
    namespace = _unique("t") + "."
    yield namespace
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        topics = [name for name in await admin.list_topics() if name.startswith(namespace)]
        if topics:
            await admin.delete_topics(topics)
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def mongodb_url(servers: Servers) -> str:
    return servers.mongodb_url


@pytest.fixture(scope="session")
def _mongodb_client(mongodb_url: str) -> Iterator[MongoClient[dict[str, object]]]:
    with MongoClient[dict[str, object]](mongodb_url) as client:
        yield client


@pytest.fixture
def mongodb_name(_mongodb_client: MongoClient[dict[str, object]]) -> Iterator[str]:
    """The name of a database of this test's own; dropped afterwards."""
    name = _unique("test_")
    yield name
    _mongodb_client.drop_database(name)


@pytest.fixture(scope="session")
def clickhouse_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """chDB inside this process: it holds one path for as long as the process lives.

    A second path is refused even after the first is closed; any number of connections may share it.
    """
    dsn = f"chdb://{tmp_path_factory.mktemp('clickhouse')}"
    client = clickhouse_connect.get_client(dsn=dsn)
    yield dsn
    client.close()


@pytest.fixture
def clickhouse_database(clickhouse_dsn: str) -> Iterator[str]:
    """The name of an empty database of this test's own; dropped afterwards."""
    name = _unique("test_")
    client = clickhouse_connect.get_client(dsn=clickhouse_dsn)
    client.command(f"CREATE DATABASE {name}")
    yield name
    client.command(f"DROP DATABASE IF EXISTS {name}")
    client.close()
