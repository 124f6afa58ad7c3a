"""One member of a consumer group: batches to its policy, and offsets to the group.

A batch is taken from all assigned partitions, its effects are made durable by the handler, and only
then are its offsets committed, explicitly for each partition. ``policy.py`` sorts the failures.
While a transient one lasts, the batch is tried again with a growing pause and nothing is pulled, so
an outage needs no dead letters; only where it lasts is more pulled, to see whether others pass.

Handlers must tolerate repetition: after a crash the batch comes again.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from libs.runtime.away import SERVER_AWAY, Transient
from libs.runtime.isolating import Handler, Received, Refused
from libs.runtime.metrics import (
    CONSUMED,
    CONSUMER_BATCH_SECONDS,
    CONSUMER_LAG,
    CONSUMER_RETRIES,
    CONSUMER_STOPPED,
)
from libs.runtime.policy import Policy, Stop
from libs.runtime.stopping import stopped_within
from libs.runtime.streams import Record, Wanted, of_types
from libs.runtime.tracing import started_of

log = structlog.get_logger()

# A crash repeats as much, which changes nothing; each commit is a write of the broker's.
COMMIT_INTERVAL_SECONDS: Final = 1.0
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0
# From then on it is looked whether a failure that should pass is one stream's own.
HELD_SECONDS: Final = 60.0
_LAST_COMMIT_SECONDS: Final = 5.0


class GroupMember:
    """``max_batch``: about how many records are held at once."""

    def __init__(self, group: str, policy: Policy, max_batch: int) -> None:
        self._group = group
        self._policy = policy
        self._max_batch = max_batch
        self._stopped: dict[TopicPartition, Stop] = {}
        # Its partitions are not those any more that the policy knows of.
        self._assigned_anew = False
        self._busy = asyncio.Lock()
        self._durable: dict[TopicPartition, int] = {}
        self._commits: asyncio.Task[None] | None = None

    @property
    def has_more_to_do(self) -> bool:
        """Whether ``take`` does anything where nothing was fetched."""
        return self._assigned_anew or self._policy.is_to_look

    async def take(
        self,
        consumer: "AIOKafkaConsumer[bytes, bytes]",
        fetched: Mapping[TopicPartition, Sequence[Record]],
        handler: Handler,
        stop: asyncio.Event,
    ) -> None:
        """The effects of what was fetched are durable, or ``stop`` was set before they were.

        Errors: those that every batch would meet."""
        async with self._busy:
            await self._see_to_what_is_set_aside(consumer, handler, stop)
            if fetched and not stop.is_set():
                await self._handle(consumer, fetched, handler, stop)

    def check(self, consumer: "AIOKafkaConsumer[bytes, bytes] | None") -> None:
        """For readiness: the group has given this member its partitions. Errors: Transient."""
        if consumer is None or not consumer.assignment():
            raise Transient(f"the consumer {self._group} has no partitions yet")
        for at, stop in self._stopped.items():
            raise Transient(f"stopped at {at.topic}:{at.partition}:{stop.offset}: {stop.reason}")

    def set_aside(self) -> dict[str, str]:
        """Each stream of which messages are set aside here, and why."""
        return self._policy.told()

    async def _see_to_what_is_set_aside(
        self, consumer: "AIOKafkaConsumer[bytes, bytes]", handler: Handler, stop: asyncio.Event
    ) -> None:
        # Nothing of a partition before it is known what is set aside of it.
        if self._assigned_anew:
            assigned = consumer.assignment()
            if not await self._until_done(lambda: self._policy.begin(assigned, handler), stop):
                return
            self._assigned_anew = False
        try:
            await self._policy.look(handler)
        except SERVER_AWAY as error:
            log.warning("what is set aside is tried later", group=self._group, error=repr(error))

    async def _until_done(self, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
        """Again and again while failures pass; whether it was done before ``stop``."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await work()
            except SERVER_AWAY as error:
                CONSUMER_RETRIES.labels(self._group).inc()
                log.warning("batch will be tried again", group=self._group, error=repr(error))
                if await stopped_within(stop, pause):
                    return False
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                return True

    async def _handle(
        self,
        consumer: "AIOKafkaConsumer[bytes, bytes]",
        fetched: Mapping[TopicPartition, Sequence[Record]],
        handler: Handler,
        stop: asyncio.Event,
    ) -> None:
        assigned = consumer.assignment()
        batches = {tp: records for tp, records in fetched.items() if tp in assigned}
        stops: dict[TopicPartition, Stop] = {}
        spans = started_of(self._group, (one.headers for some in batches.values() for one in some))
        began = time.monotonic()

        async def apply() -> None:
            is_held = time.monotonic() - began > HELD_SECONDS
            if is_held:
                await self._pull_more(consumer, batches)
            with CONSUMER_BATCH_SECONDS.labels(self._group).time():
                stops.update(await self._policy.apply(batches, handler, is_held=is_held))

        if not await self._until_done(apply, stop):
            return
        for span in spans:
            span.end()
        for tp, records in batches.items():
            stopped = stops.get(tp)
            done = stopped.offset if stopped else records[-1].offset + 1
            self._durable[tp] = done
            CONSUMED.labels(tp.topic, self._group).inc(sum(one.offset < done for one in records))
            end = consumer.highwater(tp)
            if end is not None:
                CONSUMER_LAG.labels(tp.topic, self._group, tp.partition).set(max(0, end - done))
            if stopped:
                self._stop_at(consumer, tp, stopped)

    async def _pull_more(
        self,
        consumer: "AIOKafkaConsumer[bytes, bytes]",
        batches: dict[TopicPartition, Sequence[Record]],
    ) -> None:
        """What is there already, so that a batch of one stream has others beside it."""
        room = self._max_batch - sum(len(records) for records in batches.values())
        if room > 0:
            for tp, records in (await consumer.getmany(timeout_ms=0, max_records=room)).items():
                batches[tp] = [*batches.get(tp, ()), *records]

    def _stop_at(
        self, consumer: "AIOKafkaConsumer[bytes, bytes]", tp: TopicPartition, stop: Stop
    ) -> None:
        consumer.pause(tp)
        consumer.seek(tp, stop.offset)
        self._stopped[tp] = stop
        CONSUMER_STOPPED.labels(tp.topic, self._group, tp.partition).set(1)
        log.critical(
            "partition stopped: a newer version wrote this",
            group=self._group,
            topic=tp.topic,
            partition=tp.partition,
            offset=stop.offset,
            reason=stop.reason,
        )

    @asynccontextmanager
    async def committing(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> AsyncIterator[None]:
        """For the life of one consumer: what is durable is committed now and then, and at the
        end."""
        # What another consumer had here before may be another member's by now.
        self._durable.clear()
        self._forget_stops()
        self._commits = task = asyncio.create_task(self._commit_now_and_then(consumer))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            # aiokafka tries as long as there is no coordinator.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_COMMIT_SECONDS):
                    await self._commit(consumer)

    def check_commits(self) -> None:
        """Errors: what the commits now and then have ended with."""
        if self._commits is not None and self._commits.done():
            self._commits.result()

    async def _commit_now_and_then(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_SECONDS)
            await self._commit(consumer)

    async def _commit(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        """The offsets of what is durable, for the partitions that are still ours."""
        if not self._durable:
            return
        assigned = consumer.assignment()
        offsets = {tp: offset for tp, offset in self._durable.items() if tp in assigned}
        self._durable.clear()
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except CommitFailedError:
            # The group moved on without us: another member repeats these, which changes nothing.
            log.warning("offsets not committed, the group rebalanced", group=self._group)
        except KafkaError as error:
            for tp, offset in offsets.items():
                self._durable.setdefault(tp, offset)
            log.warning("offsets not committed yet", group=self._group, error=repr(error))

    async def before_losing_partitions(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        async with self._busy:
            await self._commit(consumer)
            # Whoever gets them stops there too, if it does not know better.
            self._forget_stops()

    def _forget_stops(self) -> None:
        for tp in self._stopped:
            CONSUMER_STOPPED.labels(tp.topic, self._group, tp.partition).set(0)
        self._stopped.clear()

    def got_partitions(self) -> None:
        self._assigned_anew = True


__all__ = [
    "Handler",
    "Received",
    "Refused",
    "Transient",
    "Wanted",
    "of_types",
]
