"""What tests put on and read from the topics of their own namespace."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from aiokafka import AIOKafkaConsumer

from libs.events.directory import DirectoryState
from libs.events.envelope import Envelope, read_envelope
from libs.events.ids import random_id
from libs.events.registry import Body
from libs.runtime.kafka import Outgoing, Publisher, outgoing


def envelope(body: Body, key: str, workspace_id: str, sequence: int = 0) -> Envelope:
    """An event of a service that the test stands in for."""
    return Envelope(
        id=random_id("evt"),
        source="/parley/tests",
        subject=key,
        key=key,
        workspace_id=workspace_id,
        sequence=sequence,
        time=datetime.now(UTC),
        body=body,
    )


def of_newer_version(message: Outgoing) -> Outgoing:
    """As a newer version of Parley publishes it: of a type that this one does not know."""
    headers = dict(message.headers)
    family = headers["ce_type"].decode().rpartition(".v")[0]
    headers["ce_type"] = f"{family}.v99".encode()
    return Outgoing(message.topic, message.key, b'{"what": "is new"}', list(headers.items()))


async def publish_state(
    publisher: Publisher, state: DirectoryState, key: str, workspace_id: str, sequence: int = 0
) -> int:
    """The offset on ``parley.directory``, as a write to routing answers it."""
    positions = await publisher.publish([outgoing(envelope(state, key, workspace_id, sequence))])
    return positions[0].offset


async def read_records(
    bootstrap: str, topic: str, enough: Callable[[list[Any]], bool], timeout_seconds: float = 20
) -> list[Any]:
    """The records of a topic (namespace included) from its beginning, until they are ``enough``.

    Errors: TimeoutError.
    """
    # Without a group it is given every partition at once.
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        records: list[Any] = []
        async with asyncio.timeout(timeout_seconds):
            while not enough(records):
                for fetched in (await consumer.getmany(timeout_ms=100)).values():
                    records += fetched
        return records
    finally:
        await consumer.stop()


async def read_events(
    bootstrap: str, topic: str, count: int, timeout_seconds: float = 20
) -> list[Envelope]:
    """At least ``count`` events of a topic (namespace included). Errors: TimeoutError."""
    records = await read_records(bootstrap, topic, lambda r: len(r) >= count, timeout_seconds)
    return [read_envelope(one.key, one.headers, one.value) for one in records]


class Tap:
    """Follows topics (namespace included) from their beginning and keeps all their records.

    Use as an async context manager, once the topics are there.
    """

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self._bootstrap = bootstrap
        self._topics = topics
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.records: list[Any] = []

    async def __aenter__(self) -> Self:
        consumer = AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        self._task = asyncio.create_task(self._follow(consumer))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def events(self, key: str | None = None) -> list[Envelope]:
        """The events so far, of one key or of all."""
        return [
            read_envelope(one.key, one.headers, one.value)
            for one in self.records
            if key is None or one.key == key.encode()
        ]

    async def until[T](self, look: Callable[[], T | None], timeout_seconds: float = 20) -> T:
        """What ``look`` finds, as soon as it finds something. Errors: TimeoutError."""
        async with asyncio.timeout(timeout_seconds), self._moved:
            while (found := look()) is None:
                await self._moved.wait()
            return found

    async def _follow(self, consumer: Any) -> None:
        try:
            while True:
                for fetched in (await consumer.getmany(timeout_ms=200)).values():
                    self.records += fetched
                async with self._moved:
                    self._moved.notify_all()
        finally:
            await consumer.stop()
