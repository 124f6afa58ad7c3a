"""Consumers on a real Kafka, what they are given, and what they did with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.events.commands import RouteCase
from libs.events.topics import Topic
from libs.runtime.broker import ServiceBroker
from libs.runtime.consumer import (
    Handler,
    Received,
    Refused,
)
from libs.runtime.kafka import Outgoing, Publisher, outgoing
from libs.runtime.streams import Streams, Subscription
from libs.runtime.subscriber import Subscriber
from tests.support.kafka import envelope, read_records

TOPIC = Topic.COMMANDS
GROUP = "tests"


class Broker:
    """One namespace, a publisher in it, and consumers of it."""

    def __init__(self, bootstrap: str, namespace: str, publisher: Publisher) -> None:
        self.bootstrap = bootstrap
        self.namespace = namespace
        self.publisher = publisher

    def consumer(
        self,
        handler: Handler,
        *,
        bootstrap: str | None = None,
        **declared: Any,
    ) -> Subscriber:
        """``declared``: a Subscription's words. ``bootstrap``: another way to the same broker."""
        reads = Subscription(group=GROUP, topics=(TOPIC,), description="What is put.", **declared)
        broker = ServiceBroker(
            "tests",
            Streams(subscriptions=(reads,)),
            kafka=bootstrap or self.bootstrap,
            namespace=self.namespace,
        )
        return broker.subscribes(reads, handler, self.publisher)

    async def put(self, *causes: str, key: str | None = None) -> None:
        await self.publisher.publish([command(cause, key) for cause in causes])

    async def committed(self) -> dict[int, int]:
        """What the group has committed, by partition."""
        client = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=self.namespace + GROUP,
            enable_auto_commit=False,
        )
        await client.start()
        try:
            offsets = {}
            for partition in range(12):
                at = TopicPartition(self.namespace + TOPIC, partition)
                offset = await client.committed(at)
                if offset is not None:
                    offsets[partition] = offset
            return offsets
        finally:
            await client.stop()

    async def dead_letters(self, count: int) -> list[Any]:
        return await read_records(
            self.bootstrap, self.namespace + TOPIC.dead_letter, lambda found: len(found) >= count
        )


def command(cause: str, key: str | None = None) -> Outgoing:
    body = RouteCase(cause=cause, conversation_id="cnv", case_id="case")
    return outgoing(envelope(body, key or cause, "wsp_1"))


def causes(batch: Sequence[Received]) -> list[str]:
    return [one.envelope.body.cause for one in batch if isinstance(one.envelope.body, RouteCase)]


class Effects:
    """A handler that keeps what it was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._more = asyncio.Event()

    async def __call__(self, batch: Sequence[Received]) -> Sequence[Refused]:
        self.seen += causes(batch)
        self._more.set()
        return []

    async def wait(self, enough: Callable[[list[str]], bool]) -> None:
        async with asyncio.timeout(30):
            while not enough(self.seen):
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def running(consumer: Subscriber) -> AsyncIterator["asyncio.Task[None]"]:
    stop = asyncio.Event()
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield task
    finally:
        stop.set()
        if not task.done():
            async with asyncio.timeout(20):
                await task
