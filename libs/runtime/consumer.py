"""Batches of messages from Kafka, handed to one group's policy.

A batch is taken from all assigned partitions, its effects are made durable by the handler, and only
then are its offsets committed, explicitly for each partition. ``policy.py`` sorts the failures.
While a transient one lasts, the batch is tried again with a growing pause and nothing is pulled, so
an outage needs no dead letters.

Handlers must tolerate repetition: after a crash the batch comes again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from libs.events.registry import Body, family_of, spec_of
from libs.events.topics import Topic
from libs.runtime.away import SERVER_AWAY, Transient
from libs.runtime.kafka import GROUP_MEMBER, Publisher, patient
from libs.runtime.kafka_access import Kafka, client_options
from libs.runtime.metrics import (
    CONSUMED,
    CONSUMER_BATCH_SECONDS,
    CONSUMER_LAG,
    CONSUMER_RETRIES,
    CONSUMER_STOPPED,
)
from libs.runtime.policy import Handler, Policy, Received, Refused, Stop, Wanted
from libs.runtime.reading import Reader, read_on
from libs.runtime.stopping import stopped_within

log = structlog.get_logger()

POLL_MS: Final = 250
# A crash repeats as much, which changes nothing; each commit is a write of the broker's.
COMMIT_INTERVAL_SECONDS: Final = 1.0
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0
_LAST_COMMIT_SECONDS: Final = 5.0


def of_types(*bodies: type[Body]) -> Wanted:
    """Wants the records of these public types, by their header alone, whatever their version.

    What says no type is wanted too, so that it becomes a dead letter like all that is malformed.
    """
    families = {family_of(spec_of(body).name) for body in bodies}

    @lru_cache(1_024)
    def is_wanted(given: bytes) -> bool:
        return family_of(given.decode("utf-8", "replace")) in families

    def wanted(record: "ConsumerRecord[bytes, bytes]") -> bool:
        given = next((value for name, value in record.headers if name == "ce_type"), None)
        return given is None or is_wanted(given)

    return wanted


class BatchConsumer:
    """Runs one handler for the messages of some topics in one consumer group.

    A batch is tried again where a server is away; ``transient`` are other failures that pass.
    ``linger_seconds`` is a pause after each batch, for a store that prefers few and large ones: the
    next holds what has come in the meantime.
    ``patience_seconds`` is how long the broker may hold a message back for others to join it. Where
    nobody waits for the effect it saves work on both sides: at 100 messages/s with 0.25 s a
    consumer costs a third, and all of the suite a quarter less.
    ``wanted`` tells before a record is decoded whether the handler has a use for it: what is not
    wanted counts as consumed, unread, and is never a dead letter of this group.
    ``ordered``: an effect may depend on the messages before it of the same key, so where one of
    them is set aside, those behind it wait with it.
    """

    def __init__(
        self,
        topics: Sequence[Topic],
        group: str,
        handler: Handler,
        *,
        bootstrap_servers: Kafka,
        namespace: str,
        publisher: Publisher,
        transient: tuple[type[Exception], ...] = (),
        max_batch: int = 500,
        linger_seconds: float = 0,
        patience_seconds: float = 0,
        wanted: Wanted | None = None,
        ordered: bool = True,
    ) -> None:
        self._topics = {namespace + topic.value: topic for topic in topics}
        self._group = namespace + group
        self._bootstrap_servers = bootstrap_servers
        self._transient = (*SERVER_AWAY, *transient)
        self._policy = Policy(
            self._topics,
            self._group,
            handler,
            publisher,
            bootstrap_servers=bootstrap_servers,
            namespace=namespace,
            transient=self._transient,
            wanted=wanted,
            ordered=ordered,
        )
        self._stopped: dict[TopicPartition, Stop] = {}
        # Its partitions are not those any more that the policy knows of.
        self._assigned_anew = False
        self._max_batch = max_batch
        self._linger_seconds = linger_seconds
        self._waiting = patient(patience_seconds) if patience_seconds else {}
        self._busy = asyncio.Lock()
        self._durable: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer[bytes, bytes] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop`` is set, then commit what is durable and leave the group."""
        await read_on(self._read, stop, self._group)

    async def _read(self, stop: asyncio.Event) -> None:
        # What another consumer had here before may be another member's by now.
        self._durable.clear()
        self._forget_stops()
        self._consumer = consumer = Reader(
            **client_options(self._bootstrap_servers),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **GROUP_MEMBER,
            max_poll_interval_ms=300_000,
            **self._waiting,
        )
        consumer.subscribe(list(self._topics), listener=_CommitBeforeLosing(self))
        committer = asyncio.create_task(self._commit_now_and_then())
        try:
            await consumer.start()
            while not stop.is_set():
                if committer.done():
                    await committer
                fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._max_batch)
                if fetched or self._assigned_anew or self._policy.is_to_look:
                    async with self._busy:
                        await self._see_to_what_is_set_aside(consumer, stop)
                        if fetched and not stop.is_set():
                            await self._handle(consumer, fetched, stop)
                if fetched and self._linger_seconds:
                    await stopped_within(stop, self._linger_seconds)
        finally:
            committer.cancel()
            await asyncio.gather(committer, return_exceptions=True)
            # aiokafka tries as long as there is no coordinator.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_COMMIT_SECONDS):
                    await self.commit()
            await consumer.stop()

    async def check(self) -> None:
        """For readiness: the group has given this consumer its partitions. Errors: Transient."""
        if self._consumer is None or not self._consumer.assignment():
            raise Transient(f"the consumer {self._group} has no partitions yet")
        for at, stop in self._stopped.items():
            raise Transient(f"stopped at {at.topic}:{at.partition}:{stop.offset}: {stop.reason}")

    def set_aside(self) -> dict[str, str]:
        """For ``/readyz``: each stream of which messages are set aside here, and why."""
        return self._policy.told()

    async def _see_to_what_is_set_aside(
        self, consumer: "AIOKafkaConsumer[bytes, bytes]", stop: asyncio.Event
    ) -> None:
        # Nothing of a partition before it is known what is set aside of it.
        if self._assigned_anew:
            assigned = consumer.assignment()
            if not await self._until_done(lambda: self._policy.begin(assigned), stop):
                return
            self._assigned_anew = False
        try:
            await self._policy.look()
        except self._transient as error:
            log.warning("what is set aside is tried later", group=self._group, error=repr(error))

    async def _until_done(self, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
        """Again and again while failures pass; whether it was done before ``stop``."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await work()
            except self._transient as error:
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
        fetched: Mapping[TopicPartition, Sequence["ConsumerRecord[bytes, bytes]"]],
        stop: asyncio.Event,
    ) -> None:
        assigned = consumer.assignment()
        batches = {tp: records for tp, records in fetched.items() if tp in assigned}
        stops: dict[TopicPartition, Stop] = {}

        async def apply() -> None:
            with CONSUMER_BATCH_SECONDS.labels(self._group).time():
                stops.update(await self._policy.apply(batches))

        if not await self._until_done(apply, stop):
            return
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

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_SECONDS)
            await self.commit()

    async def commit(self) -> None:
        """Commit the offsets of what is durable, for the partitions that are still ours."""
        if self._consumer is None or not self._durable:
            return
        assigned = self._consumer.assignment()
        offsets = {tp: offset for tp, offset in self._durable.items() if tp in assigned}
        self._durable.clear()
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except CommitFailedError:
            # The group moved on without us: another member repeats these, which changes nothing.
            log.warning("offsets not committed, the group rebalanced", group=self._group)
        except KafkaError as error:
            for tp, offset in offsets.items():
                self._durable.setdefault(tp, offset)
            log.warning("offsets not committed yet", group=self._group, error=repr(error))

    async def before_losing_partitions(self) -> None:
        async with self._busy:
            await self.commit()
            # Whoever gets them stops there too, if it does not know better.
            self._forget_stops()

    def _forget_stops(self) -> None:
        for tp in self._stopped:
            CONSUMER_STOPPED.labels(tp.topic, self._group, tp.partition).set(0)
        self._stopped.clear()

    def got_partitions(self) -> None:
        self._assigned_anew = True


class _CommitBeforeLosing(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """A partition is given up only when the batch in hand is durable and committed."""

    def __init__(self, consumer: BatchConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Any) -> None:
        if revoked:
            await self._consumer.before_losing_partitions()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._consumer.got_partitions()


__all__ = [
    "BatchConsumer",
    "Handler",
    "Received",
    "Refused",
    "Transient",
    "Wanted",
    "of_types",
]
