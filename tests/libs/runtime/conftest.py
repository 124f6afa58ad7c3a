"""A broker for the consumers' tests."""

from collections.abc import AsyncIterator

import pytest

from libs.runtime.broker import publishing
from libs.runtime.topics import create_topics
from tests.support.runtime.consuming import TOPIC, Broker


@pytest.fixture
async def broker(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Broker]:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[TOPIC])
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        yield Broker(kafka_bootstrap, kafka_namespace, publisher)
