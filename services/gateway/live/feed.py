"""Reads the events for the live sockets: every partition, in every process, without a group."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from libs.events.envelope import InvalidEnvelope, read_envelope, sequence_in
from libs.events.registry import InvalidBody, UnknownType
from libs.events.topics import Topic
from libs.runtime.kafka_access import Kafka, client_options
from libs.runtime.left_out import left_out
from libs.runtime.metrics import DEAD_LETTERS
from libs.runtime.problems import Unavailable
from libs.runtime.reading import Reader, read_on
from services.gateway.live.hub import Hub
from services.gateway.live.positions import Positions
from services.gateway.telling import TEXTS

log = structlog.get_logger()

TOPICS: Final = (Topic.CONVERSATION, Topic.NOTIFICATION)
POLL_MS: Final = 1000
# A process reads a little of what was before it, so that sockets go on where they were when their
# replica was replaced, and so that a repeat of what was just shown is known as one.
MESSAGES_BEFORE: Final = 200


class Feed:
    def __init__(self, hub: Hub, *, bootstrap_servers: Kafka, namespace: str) -> None:
        self._hub = hub
        self._bootstrap_servers = bootstrap_servers
        self._topics = {namespace + topic.value: topic for topic in TOPICS}
        self._positions = Positions(())
        self._end_at_start: tuple[int, ...] | None = None

    async def check(self) -> None:
        """For readiness. Errors: Unavailable."""
        if self._end_at_start is None or not self._positions.reached(self._end_at_start):
            raise Unavailable(TEXTS.say("unavailable.not-read"))

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the topics until ``stop`` is set."""
        await read_on(self._read, stop, "live")

    async def _read(self, stop: asyncio.Event) -> None:
        consumer = Reader(
            *self._topics,
            **client_options(self._bootstrap_servers),
            enable_auto_commit=False,
            # Never a silent jump: what is gone from the topic is a reason to reload.
            auto_offset_reset="none",
        )
        try:
            await consumer.start()
            await self._begin_or_go_on(consumer)
            while not stop.is_set():
                try:
                    fetched = await consumer.getmany(timeout_ms=POLL_MS)
                except OffsetOutOfRangeError as error:
                    log.warning("events are gone before they were read", error=str(error))
                    # From the end: what is known to be shown must not pass for something missed.
                    await self._begin(consumer, 0)
                    continue
                for partition, records in fetched.items():
                    place = self._place(partition)
                    for record in records:
                        self._positions.move(place, record.offset + 1)
                        with left_out("live", f"{partition.partition}:{record.offset}"):
                            self._take(place, record)
                if fetched:
                    self._hub.moved()
        finally:
            await consumer.stop()

    async def _begin_or_go_on(self, consumer: Reader) -> None:
        """A consumer that takes another's place goes on where that was: no socket misses anything,
        and none has to reload."""
        if self._end_at_start is None:
            await self._begin(consumer, MESSAGES_BEFORE)
            return
        partitions = sorted(consumer.assignment())
        vector = self._positions.vector
        if len(partitions) != len(vector):
            await self._begin(consumer, 0)
            return
        consumer.unsubscribe()
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, vector[self._place(partition)])

    async def _begin(self, consumer: Reader, before: int) -> None:
        # Assigned by hand: a change of the metadata must not lose the positions.
        partitions = sorted(consumer.assignment())
        consumer.unsubscribe()
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        names = list(self._topics)
        self._positions = Positions([sum(p.topic == name for p in partitions) for name in names])
        for partition in partitions:
            start = max(begins[partition], ends[partition] - before)
            consumer.seek(partition, start)
            self._positions.move(self._place(partition), start)
        by_place = sorted(partitions, key=self._place)
        self._end_at_start = tuple(ends[partition] for partition in by_place)
        self._hub.begin(self._positions)

    def _place(self, partition: TopicPartition) -> int:
        return self._positions.place(list(self._topics).index(partition.topic), partition.partition)

    def _take(self, place: int, record: "ConsumerRecord[bytes, bytes]") -> None:
        value = record.value or b""
        try:
            envelope = read_envelope(record.key, record.headers, value)
        except (InvalidEnvelope, InvalidBody, UnknownType) as error:
            topic = self._topics[record.topic]
            DEAD_LETTERS.labels(topic.value, "live").inc()
            log.error("event not understood", offset=record.offset, error=str(error))
            self._skip(record)
            return
        self._hub.take(envelope, place, record.offset, len(value))

    def _skip(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        headers = {name: (text or b"").decode("utf-8", "replace") for name, text in record.headers}
        with suppress(InvalidEnvelope):
            sequence = sequence_in(record.headers)
            if sequence and "ce_workspace" in headers:
                self._hub.skip(headers["ce_workspace"], headers.get("ce_subject", ""), sequence)
