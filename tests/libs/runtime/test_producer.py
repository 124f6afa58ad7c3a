"""Publishing goes on by itself after a broker has ended in order, however long it was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiokafka.errors import KafkaError

from libs.devstack import Devstack, ManagedProcess
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.kafka import Outgoing, Publisher, PublishFailed
from libs.runtime.topics import create_topics
from tests.support.kafka import read_records
from tests.support.runtime.own_kafka import READY_S, ended

pytestmark = pytest.mark.servers

REQUEST_TIMEOUT_S = 2.0


class Writer:
    """Writes 1, 2, 3… under one key, each until it is acknowledged, as an outbox does."""

    def __init__(self, publisher: Publisher, key: bytes) -> None:
        self._publisher = publisher
        self._key = key
        self._moved = asyncio.Event()
        self.acknowledged = 0

    async def run(self) -> None:
        while True:
            value = b"%d" % (self.acknowledged + 1)
            with suppress(PublishFailed):
                await self._publisher.publish([Outgoing(Topic.COMMANDS, self._key, value, [])])
                self.acknowledged += 1
                self._moved.set()
            await asyncio.sleep(0.02)

    async def goes_on(self) -> None:
        """Three more are acknowledged. Errors: TimeoutError."""
        for _ in range(3):
            async with asyncio.timeout(READY_S):
                await self._moved.wait()
            self._moved.clear()


@pytest.fixture
async def writers(own_kafka: Devstack, kafka_namespace: str) -> AsyncIterator[list[Writer]]:
    bootstrap = own_kafka.servers.kafka_bootstrap
    await create_topics(bootstrap, kafka_namespace, topics=[Topic.COMMANDS])
    async with publishing(
        bootstrap, kafka_namespace, timeout_seconds=1, request_timeout_seconds=REQUEST_TIMEOUT_S
    ) as publisher:
        writers = [Writer(publisher, b"key %d" % number) for number in range(8)]
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(writer.run()) for writer in writers]
            yield writers
            for one in working:
                one.cancel()
        await publisher.check()
    records = await read_records(
        bootstrap, kafka_namespace + Topic.COMMANDS, lambda found: _whole(found, writers)
    )
    assert _whole(records, writers)


def _whole(records: list[object], writers: list[Writer]) -> bool:
    """All that was acknowledged is there, and first appears in its order."""
    for writer in writers:
        values = [int(r.value) for r in records if r.key == writer._key]  # type: ignore[attr-defined]
        first = list(dict.fromkeys(values))
        if first[: writer.acknowledged] != list(range(1, writer.acknowledged + 1)):
            return False
    return True


async def test_a_broker_that_ended_in_order_is_published_to_again(
    own_broker: ManagedProcess, writers: list[Writer]
) -> None:
    for writer in writers:
        await writer.goes_on()
    await ended(own_broker, 3 * REQUEST_TIMEOUT_S)
    for writer in writers:
        await writer.goes_on()


async def test_while_it_is_away_publishing_is_not_ready(
    own_kafka: Devstack, own_broker: ManagedProcess, kafka_namespace: str
) -> None:
    bootstrap = own_kafka.servers.kafka_bootstrap
    await create_topics(bootstrap, kafka_namespace, topics=[Topic.COMMANDS])
    message = Outgoing(Topic.COMMANDS, b"k", b"v", [])
    async with publishing(
        bootstrap, kafka_namespace, timeout_seconds=0.5, request_timeout_seconds=1
    ) as publisher:
        await publisher.publish([message])
        await publisher.check()
        await asyncio.to_thread(own_broker.stop, 30)
        for _ in range(4):
            with pytest.raises(PublishFailed):
                await publisher.publish([message])
            with pytest.raises((KafkaError, TimeoutError)):
                await publisher.check()
        await asyncio.to_thread(own_broker.start)
        await asyncio.to_thread(own_broker.wait_ready, READY_S)
        # Nobody publishes meanwhile: it becomes ready by itself.
        async with asyncio.timeout(READY_S):
            while True:
                with suppress(KafkaError, TimeoutError):
                    await publisher.check()
                    break
                await asyncio.sleep(0.1)
        assert await publisher.publish([message])
