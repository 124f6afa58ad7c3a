"""The one place where consumer policy lives.

A batch is taken from all assigned partitions, its effects are made durable by the handler, and only
then are its offsets committed, explicitly for each partition. Failures are sorted:

* a message that cannot be read, or that the handler refuses, goes to the topic's dead-letter twin
  with its original bytes and headers, and its partition goes on;
* a transient failure (a server that does not answer) is tried again with a growing pause: the
  consumer stops pulling while it lasts, so an outage needs no dead letters;
* what a newer version of Parley wrote stops its partition where it stands, with an alert (log,
  metric, readiness): nothing is lost, the others go on, and a newer process goes on there;
* anything else is a bug: it leaves ``run`` as an exception, which ends the process.

Handlers must tolerate repetition: after a crash the batch comes again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from libs.events.envelope import Envelope, InvalidEnvelope, read_envelope
from libs.events.registry import (
    Body,
    InvalidBody,
    NewerType,
    UnknownType,
    family_of,
    spec_of,
)
from libs.events.topics import Topic
from libs.runtime.kafka import (
    GROUP_MEMBER,
    Outgoing,
    Publisher,
    PublishFailed,
    patient,
)
from libs.runtime.metrics import (
    CONSUMED,
    CONSUMER_BATCH_SECONDS,
    CONSUMER_LAG,
    CONSUMER_RETRIES,
    CONSUMER_STOPPED,
    DEAD_LETTERS,
)
from libs.runtime.stopping import stopped_within

log = structlog.get_logger()

POLL_MS: Final = 250
# A crash repeats as much, which changes nothing; each commit is a write of the broker's.
COMMIT_INTERVAL_SECONDS: Final = 1.0
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0


class Transient(Exception):
    """Raise it from a handler when a server did not answer: the batch is tried again."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that could be read, with the record it came in."""

    envelope: Envelope
    record: "ConsumerRecord[bytes, bytes]"


@dataclass(frozen=True, slots=True)
class Refused:
    """A handler's word that a message can never be applied, and why (no personal data)."""

    received: Received
    reason: str


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where a partition stops, and why."""

    offset: int
    reason: str


Handler = Callable[[Sequence[Received]], Awaitable[Sequence[Refused]]]
Wanted = Callable[["ConsumerRecord[bytes, bytes]"], bool]


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

    ``transient`` lists the drivers' exceptions that mean "the server does not answer", besides
    Transient, PublishFailed and Kafka's own; ``newer`` those that mean "what this needs was written
    by a newer version". ``linger_seconds`` is a pause after each batch, for
    a store that prefers few and large ones: the next holds what has come in the meantime.
    ``patience_seconds`` is how long the broker may hold a message back for others to join it. Where
    nobody waits for the effect it saves work on both sides: at 100 messages/s with 0.25 s a
    consumer costs a third, and all of the suite a quarter less.
    ``wanted`` tells before a record is decoded whether the handler has a use for it: what is not
    wanted counts as consumed, unread, and is never a dead letter of this group.
    """

    def __init__(
        self,
        topics: Sequence[Topic],
        group: str,
        handler: Handler,
        *,
        bootstrap_servers: str,
        namespace: str,
        publisher: Publisher,
        transient: tuple[type[Exception], ...] = (),
        newer: tuple[type[Exception], ...] = (),
        max_batch: int = 500,
        linger_seconds: float = 0,
        patience_seconds: float = 0,
        wanted: Wanted | None = None,
    ) -> None:
        self._topics = {namespace + topic.value: topic for topic in topics}
        self._group = namespace + group
        self._handler = handler
        self._bootstrap_servers = bootstrap_servers
        self._publisher = publisher
        self._transient = (Transient, PublishFailed, KafkaError, *transient)
        self._newer = newer
        self._stopped: dict[TopicPartition, _Stop] = {}
        self._max_batch = max_batch
        self._linger_seconds = linger_seconds
        self._wanted = wanted
        self._waiting = patient(patience_seconds) if patience_seconds else {}
        self._busy = asyncio.Lock()
        self._durable: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer[bytes, bytes] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop`` is set, then commit what is durable and leave the group."""
        self._consumer = consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
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
                if fetched:
                    async with self._busy:
                        await self._handle(consumer, fetched, stop)
                    if self._linger_seconds:
                        await stopped_within(stop, self._linger_seconds)
        finally:
            committer.cancel()
            await asyncio.gather(committer, return_exceptions=True)
            await self.commit()
            await consumer.stop()

    async def check(self) -> None:
        """For readiness: the group has given this consumer its partitions. Errors: Transient."""
        if self._consumer is None or not self._consumer.assignment():
            raise Transient(f"the consumer {self._group} has no partitions yet")
        for at, stop in self._stopped.items():
            raise Transient(f"stopped at {at.topic}:{at.partition}:{stop.offset}: {stop.reason}")

    async def _handle(
        self,
        consumer: "AIOKafkaConsumer[bytes, bytes]",
        fetched: Mapping[TopicPartition, Sequence["ConsumerRecord[bytes, bytes]"]],
        stop: asyncio.Event,
    ) -> None:
        assigned = consumer.assignment()
        batches = {tp: records for tp, records in fetched.items() if tp in assigned}
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                with CONSUMER_BATCH_SECONDS.labels(self._group).time():
                    stops = await self._apply(batches)
                break
            except self._transient as error:
                CONSUMER_RETRIES.labels(self._group).inc()
                log.warning("batch will be tried again", group=self._group, error=repr(error))
                if await stopped_within(stop, pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
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
        self, consumer: "AIOKafkaConsumer[bytes, bytes]", tp: TopicPartition, stop: _Stop
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

    async def _apply(
        self, batches: Mapping[TopicPartition, Sequence["ConsumerRecord[bytes, bytes]"]]
    ) -> dict[TopicPartition, _Stop]:
        """The effects of the batches are durable; where a partition stops, those before it."""
        readable: list[Received] = []
        dead: list[tuple[ConsumerRecord[bytes, bytes], str]] = []
        stops: dict[TopicPartition, _Stop] = {}
        for tp, records in batches.items():
            for record in records if self._wanted is None else filter(self._wanted, records):
                try:
                    envelope = read_envelope(record.key, record.headers, record.value or b"")
                except NewerType as error:
                    stops[tp] = _Stop(record.offset, str(error))
                    break
                except (InvalidEnvelope, InvalidBody, UnknownType) as error:
                    dead.append((record, str(error)))
                else:
                    readable.append(Received(envelope, record))
        if readable:
            try:
                refused = list(await self._handler(readable))
            except self._newer:
                refused = await self._one_by_one(readable, stops)
            dead += [(one.received.record, one.reason) for one in refused]
        # What stands behind a stop comes again.
        buried = [one for one in dead if _is_before(one[0], stops)]
        if buried:
            await self._bury(buried)
        return stops

    async def _one_by_one(
        self, readable: Sequence[Received], stops: dict[TopicPartition, _Stop]
    ) -> list[Refused]:
        """One of them needs what a newer version wrote: its partition stops there."""
        refused: list[Refused] = []
        found: set[TopicPartition] = set()
        for one in readable:
            at = _at(one.record)
            if at in found:
                continue
            try:
                refused += await self._handler([one])
            except self._newer as error:
                found.add(at)
                stops[at] = _Stop(one.record.offset, str(error))
        return refused

    async def _bury(self, dead: Sequence[tuple["ConsumerRecord[bytes, bytes]", str]]) -> None:
        await self._publisher.publish(
            [
                dead_letter(self._topics[record.topic], record, reason, self._group)
                for record, reason in dead
            ]
        )
        for record, reason in dead:
            DEAD_LETTERS.labels(self._topics[record.topic].value, self._group).inc()
            log.error(
                "dead letter",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=reason,
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
            for tp in self._stopped:
                CONSUMER_STOPPED.labels(tp.topic, self._group, tp.partition).set(0)
            self._stopped.clear()


class _CommitBeforeLosing(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """A partition is given up only when the batch in hand is durable and committed."""

    def __init__(self, consumer: BatchConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Any) -> None:
        if revoked:
            await self._consumer.before_losing_partitions()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        pass


def _is_before(
    record: "ConsumerRecord[bytes, bytes]", stops: Mapping[TopicPartition, _Stop]
) -> bool:
    stop = stops.get(_at(record))
    return stop is None or record.offset < stop.offset


def _at(record: "ConsumerRecord[bytes, bytes]") -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def dead_letter(
    topic: Topic, record: "ConsumerRecord[bytes, bytes]", reason: str, group: str
) -> Outgoing:
    """The dead letter of a record: its own key, bytes and headers, and where it came from."""
    origin = f"{topic.value}:{record.partition}:{record.offset}"
    headers = [
        *record.headers,
        ("parley_dead_reason", reason.encode()),
        ("parley_dead_group", group.encode()),
        ("parley_dead_origin", origin.encode()),
    ]
    return Outgoing(topic.dead_letter, record.key, record.value, headers)
