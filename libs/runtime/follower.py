"""Follows topics in every process, without a group: for what a process keeps in memory.

The one loop that reads without a group, as ``subscriber.py`` has the one that reads with a group.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from libs.events.topics import Topic
from libs.runtime.kafka import patient
from libs.runtime.kafka_access import Kafka, client_options
from libs.runtime.left_out import left_out
from libs.runtime.problems import Unavailable
from libs.runtime.reading import Reader, read_on
from libs.runtime.streams import Record
from libs.runtime.texts import COMMON

log = structlog.get_logger()

# The offset that is read next, of each partition.
type Offsets = Mapping[TopicPartition, int]

POLL_MS: Final = 500


class Follower:
    """Hands on every record of ``topics``, in the order of each partition.

    ``take`` gets one record. A record that it fails on is left out with an alert, and the others
    go on. ``began`` gets the offsets at which reading begins: at first, and again where records
    were gone before they were read, so that some may be missing. ``moved`` is called after
    ``began``, and after all the records that came at once.

    Reading begins ``before`` records before the ends, or with the first record there is where it
    is None; where it begins again, at the ends. A consumer that takes another's place (the broker
    was away) goes on where that was. ``patience_seconds``: how long the broker may hold a record
    back for others to join it, where nobody waits for the effect.
    """

    def __init__(
        self,
        name: str,
        topics: Collection[Topic],
        take: Callable[[Record], None],
        *,
        bootstrap_servers: Kafka,
        namespace: str,
        began: Callable[[Offsets], None] | None = None,
        moved: Callable[[], None] | None = None,
        before: int | None = 0,
        patience_seconds: float = 0,
    ) -> None:
        self._name = name
        self._topics = [namespace + topic.value for topic in topics]
        self._take = take
        self._began = began
        self._moved = moved
        self._before = before
        self._before_again = None if before is None else 0
        self._options = client_options(bootstrap_servers) | (
            patient(patience_seconds) if patience_seconds else {}
        )
        self._next: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] | None = None

    @property
    def is_caught_up(self) -> bool:
        """Whether everything is read that was there when reading began."""
        ends = self._ends
        return ends is not None and all(self._next[at] >= end for at, end in ends.items())

    async def check(self) -> None:
        """For readiness. Errors: Unavailable."""
        if not self.is_caught_up:
            raise Unavailable(COMMON.say("unavailable.not-read"))

    def next_of(self, partition: TopicPartition) -> int:
        """The offset that is read next: every record before it was taken. 0 before the start."""
        return self._next.get(partition, 0)

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set, however often the broker is away."""
        await read_on(self._read, stop, self._name)

    async def _read(self, stop: asyncio.Event) -> None:
        consumer = Reader(
            *self._topics,
            enable_auto_commit=False,
            # Never a silent jump: who follows is told of what was not seen.
            auto_offset_reset="none",
            **self._options,
        )
        try:
            await consumer.start()
            await self._begin_or_go_on(consumer)
            while not stop.is_set():
                try:
                    fetched = await consumer.getmany(timeout_ms=POLL_MS)
                except OffsetOutOfRangeError as error:
                    log.warning("records are gone before they were read", error=str(error))
                    await self._begin(consumer, self._before_again)
                    continue
                for records in fetched.values():
                    for record in records:
                        with left_out(self._name, f"{record.partition}:{record.offset}"):
                            self._take(record)
                await self._move(consumer, fetched or self._next)
        finally:
            await consumer.stop()

    async def _begin_or_go_on(self, consumer: Reader) -> None:
        if self._next.keys() == consumer.assignment():
            _read_from(consumer, self._next)
        else:
            await self._begin(consumer, self._before_again if self._next else self._before)

    async def _begin(self, consumer: Reader, before: int | None) -> None:
        partitions = sorted(consumer.assignment())
        begins: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        self._next = {
            at: begins[at] if before is None else max(begins[at], ends[at] - before)
            for at in partitions
        }
        self._ends = ends
        _read_from(consumer, self._next)
        if self._began is not None:
            self._began(dict(self._next))
        if self._moved is not None:
            self._moved()

    async def _move(self, consumer: Reader, partitions: Iterable[TopicPartition]) -> None:
        # The positions, not the last offsets: compaction leaves holes, also at the end.
        now = self._next | {at: await consumer.position(at) for at in partitions}
        if now != self._next:
            self._next = now
            if self._moved is not None:
                self._moved()


def _read_from(consumer: Reader, offsets: Offsets) -> None:
    # Assigned by hand: a change of the metadata must not lose the positions.
    consumer.unsubscribe()
    consumer.assign(sorted(offsets))
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)
