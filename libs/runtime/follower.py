"""Follows a topic in every process, without a group: for what a process keeps in memory."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import OffsetOutOfRangeError

from libs.events.topics import Topic
from libs.runtime.kafka import patient
from libs.runtime.kafka_access import Kafka, client_options
from libs.runtime.left_out import left_out
from libs.runtime.problems import Unavailable
from libs.runtime.reading import Reader, read_on
from libs.runtime.texts import COMMON

log = structlog.get_logger()

POLL_MS: Final = 1000
# What other replicas did may be known a quarter of a second later: few fetches cost less.
_PATIENCE_SECONDS: Final = 0.25


class Follower:
    """``take`` gets each record that comes after the start. ``missed`` is called where some may not
    have come: before the first, and when records were gone before they were read."""

    def __init__(
        self,
        topic: Topic,
        take: "Callable[[ConsumerRecord[bytes, bytes]], None]",
        missed: Callable[[], None],
        *,
        bootstrap_servers: Kafka,
        namespace: str,
    ) -> None:
        self._topic = namespace + topic.value
        self._take = take
        self._missed = missed
        self._bootstrap_servers = bootstrap_servers
        self._following = False

    async def check(self) -> None:
        """For readiness. Errors: Unavailable."""
        if not self._following:
            raise Unavailable(COMMON.say("unavailable.not-read"))

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        await read_on(self._read, stop, f"follower of {self._topic}")

    async def _read(self, stop: asyncio.Event) -> None:
        consumer = Reader(
            self._topic,
            **client_options(self._bootstrap_servers),
            enable_auto_commit=False,
            # Never a silent jump.
            auto_offset_reset="none",
            **patient(_PATIENCE_SECONDS),
        )
        try:
            await consumer.start()
            await self._begin(consumer)
            while not stop.is_set():
                try:
                    fetched = await consumer.getmany(timeout_ms=POLL_MS)
                except OffsetOutOfRangeError as error:
                    log.warning("events are gone before they were read", error=str(error))
                    await self._begin(consumer)
                    continue
                for records in fetched.values():
                    for record in records:
                        with left_out(self._topic, f"{record.partition}:{record.offset}"):
                            self._take(record)
        finally:
            self._following = False
            await consumer.stop()

    async def _begin(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        # Assigned by hand: a change of the metadata must not lose the positions.
        partitions = sorted(consumer.assignment())
        consumer.unsubscribe()
        consumer.assign(partitions)
        for partition, end in (await consumer.end_offsets(partitions)).items():
            consumer.seek(partition, end)
        self._missed()
        self._following = True
