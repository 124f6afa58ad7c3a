"""A broker for the consumers' tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from libs.devstack import Devstack, ManagedProcess
from libs.runtime.broker import publishing
from libs.runtime.topics import create_topics
from tests.support.runtime.consuming import TOPIC, Broker


@pytest.fixture
async def broker(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Broker]:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[TOPIC])
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        yield Broker(kafka_bootstrap, kafka_namespace, publisher)


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devstack]:
    """A Kafka that no other test needs meanwhile."""
    folder = tmp_path_factory.mktemp("own-kafka")
    with Devstack(folder, mongodb_url="mongodb://none") as devstack:
        yield devstack


@pytest.fixture
def own_broker(own_kafka: Devstack) -> ManagedProcess:
    assert own_kafka.kafka is not None
    return own_kafka.kafka
