"""What becomes of a batch: each failure by its kind. It knows nothing of fetching and of offsets.

* A message that cannot be read, or that the handler refuses, becomes a dead letter, with its
  original bytes and headers.
* A transient failure (a server that does not answer) comes through: the batch is given again.
* What a newer version of Parley wrote stops its partition where it stands: nothing is lost, the
  others go on, and a newer process goes on there.
* Anything else is a message's own trouble. The batch is bisected by stream until what fails stands
  alone; that is *set aside* (``set_aside.py``), with an alert, a metric and a word in ``/readyz``,
  and all others go on. Where order matters, what comes later of that stream waits behind it.
* Where the handler fails on an empty batch too, it fails on every batch: that bug comes through,
  and ends the process. So does what a server refuses whoever asks (its disk is full, the password
  is wrong): it is not the message's trouble.

What is set aside is tried again when a process takes over the partition, which a newer release does
too, and when a person asks for it (``parley set-aside retry``).
"""

import itertools
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import TopicPartition

from libs.events.envelope import Envelope, InvalidEnvelope, read_envelope
from libs.events.registry import InvalidBody, NewerType, UnknownType
from libs.events.topics import Topic
from libs.eventstore.errors import StopHere
from libs.runtime.dead_letters import each_letter
from libs.runtime.kafka import Publisher
from libs.runtime.kafka_access import Kafka
from libs.runtime.metrics import DEAD_LETTERS, SET_ASIDE_MESSAGES
from libs.runtime.mongo import refused_whoever_asks
from libs.runtime.set_aside import (
    GROUP,
    RETRY,
    Kept,
    Record,
    Why,
    dead_letter,
    kept_in_twin,
    of_ours,
    origin_of,
    released,
    set_aside,
)

log = structlog.get_logger()

# How often a group that has something set aside looks whether a person asks to try again.
LOOK_SECONDS: Final = 3.0
# How many streams are tried again at once.
_AGAIN_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Received:
    """A message that could be read, with the record it came in."""

    envelope: Envelope
    record: Record


@dataclass(frozen=True, slots=True)
class Refused:
    """A handler's word that a message can never be applied, and why (no personal data)."""

    received: Received
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a partition stops, and why."""

    offset: int
    reason: str


@dataclass(slots=True)
class _Trouble:
    """What is set aside of one stream: from where, and why its first message failed."""

    reason: str
    origins: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Sorted:
    """``failed`` and ``waits`` are to be set aside, the latter only because of their stream."""

    refused: list[Refused] = field(default_factory=list)
    failed: list[tuple[Received, str]] = field(default_factory=list)
    waits: list[Received] = field(default_factory=list)

    def __iadd__(self, other: "_Sorted") -> "_Sorted":
        self.refused += other.refused
        self.failed += other.failed
        self.waits += other.waits
        return self


Handler = Callable[[Sequence[Received]], Awaitable[Sequence[Refused]]]
Wanted = Callable[[Record], bool]
# A stream of a topic: the topic with its namespace, and the messages' key.
type _Stream = tuple[str, bytes]


class Policy:
    """One group's. ``topics``: by their names with the namespace. ``ordered``: what comes later of
    a stream that is set aside waits; else each message stands for itself. ``transient``: the
    failures that pass. ``wanted``: as of the consumer.
    """

    def __init__(
        self,
        topics: Mapping[str, Topic],
        group: str,
        handler: Handler,
        publisher: Publisher,
        *,
        bootstrap_servers: Kafka,
        namespace: str,
        transient: tuple[type[Exception], ...],
        wanted: Wanted | None,
        ordered: bool,
    ) -> None:
        self._topics = topics
        self._group = group
        self._handler = handler
        self._publisher = publisher
        self._bootstrap_servers = bootstrap_servers
        self._namespace = namespace
        self._come_through: tuple[type[Exception], ...] = (StopHere, *transient)
        self._wanted = wanted
        self._ordered = ordered
        self._troubles: dict[_Stream, _Trouble] = {}
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._read_to: dict[Topic, int] = {}
        self._look_at = 0.0

    def told(self) -> dict[str, str]:
        """Each stream of which something is set aside here, and why."""
        return {
            f"{topic.removeprefix(self._namespace)}:{key.decode('utf-8', 'replace')}": (
                f"{trouble.reason} ({len(trouble.origins)} set aside)"
            )
            for (topic, key), trouble in self._troubles.items()
        }

    async def apply(
        self, batches: Mapping[TopicPartition, Sequence[Record]]
    ) -> dict[TopicPartition, Stop]:
        """The effects of the batches are durable; where a partition stops, those before it.

        Errors: the transient ones, and those that every batch would meet.
        """
        readable: list[Received] = []
        dead: list[tuple[Record, str]] = []
        stops: dict[TopicPartition, Stop] = {}
        for tp, records in batches.items():
            for record in records if self._wanted is None else filter(self._wanted, records):
                try:
                    readable.append(_read(record))
                except NewerType as error:
                    stops[tp] = Stop(record.offset, str(error))
                    break
                except (InvalidEnvelope, InvalidBody, UnknownType) as error:
                    dead.append((record, str(error)))
        done = await self._sorted(readable)
        dead += [(one.received.record, one.reason) for one in done.refused]
        if dead:
            await self._bury(dead)
        if done.failed or done.waits:
            await self._set_aside(done)
        return stops

    async def begin(self, assigned: Collection[TopicPartition]) -> None:
        """These partitions are the group's member's now: learn what is set aside of them, and try
        it again. Errors: as of ``apply``."""
        self._assigned = frozenset(assigned)
        kept = [one for topic in self._topics.values() for one in await self._kept(topic)]
        self._troubles.clear()
        for one in kept:
            self._remember(one.record, one.origin, one.reason)
        self._tell()
        await self._again(kept)

    @property
    def is_to_look(self) -> bool:
        """Whether ``look`` has anything to do."""
        return bool(self._troubles) and time.monotonic() >= self._look_at

    async def look(self) -> None:
        """Try again what a person asks for; nothing is read while nothing is set aside.

        Errors: as of ``apply``, and KafkaError."""
        if not self.is_to_look:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        for name, topic in self._topics.items():
            asked = await self._asked(topic)
            wanted = {
                key for of, key in self._troubles if of == name and (None in asked or key in asked)
            }
            if wanted:
                await self._again([one for one in await self._kept(topic) if one.key in wanted])

    async def _asked(self, topic: Topic) -> set[bytes | None]:
        asked: set[bytes | None] = set()
        twin = self._namespace + topic.dead_letter
        after = self._read_to.get(topic, 0)
        async for letter in each_letter(self._bootstrap_servers, twin, after=after):
            self._read_to[topic] = letter.offset + 1
            ours = of_ours(letter)
            if RETRY in ours and ours.get(GROUP) == self._group:
                asked.add(letter.key)
        return asked

    async def _kept(self, topic: Topic) -> list[Kept]:
        """What is set aside of the partitions that are ours; what is asked later is seen later."""
        if not self._assigned:
            return []
        found, self._read_to[topic] = await kept_in_twin(
            self._bootstrap_servers, self._namespace, topic, self._group
        )
        return [
            one
            for one in found
            if TopicPartition(one.record.topic, one.record.partition) in self._assigned
        ]

    async def _again(self, kept: Sequence[Kept]) -> None:
        by_stream: dict[_Stream, list[Kept]] = defaultdict(list)
        for one in kept:
            by_stream[_stream_of(one.record)].append(one)
        for some in itertools.batched(by_stream, _AGAIN_AT_ONCE):
            await self._once_more([one for stream in some for one in by_stream[stream]])

    async def _once_more(self, kept: Sequence[Kept]) -> None:
        readable, unread = [], set()
        for one in kept:
            try:
                readable.append(_read(one.record))
            except (InvalidEnvelope, InvalidBody, UnknownType):
                # It could be read once: a newer process wrote or read it, and it stays for one.
                unread.add(_stream_of(one.record))
        readable = [one for one in readable if _stream_of(one.record) not in unread]
        done = await self._isolated(readable)
        if done.refused:
            await self._bury([(one.received.record, one.reason) for one in done.refused])
        still = {id(one.record) for one, _ in done.failed} | {id(one.record) for one in done.waits}
        ended = [
            one
            for one in kept
            if id(one.record) not in still and _stream_of(one.record) not in unread
        ]
        await self._publisher.publish([released(one) for one in ended])
        for one in ended:
            self._forget(one)
            log.warning("applied after it was set aside", group=self._group, origin=one.origin)
        self._tell()

    async def _sorted(self, batch: Sequence[Received]) -> _Sorted:
        if not self._troubles:
            return await self._isolated(batch) if batch else _Sorted()
        known = [one for one in batch if _stream_of(one.record) in self._troubles]
        others = [one for one in batch if _stream_of(one.record) not in self._troubles]
        done = await self._isolated(others) if others else _Sorted()
        if self._ordered:
            done.waits += known
        elif known:
            # Apart, so that the others need not be given twice each time.
            done += await self._isolated(known)
        return done

    async def _isolated(self, batch: Sequence[Received]) -> _Sorted:
        """The batch is applied but for what fails alone."""
        try:
            return _Sorted(refused=list(await self._handler(batch)))
        except self._come_through:
            raise
        except Exception as error:
            if refused_whoever_asks(error):
                raise
            streams = list(dict.fromkeys(_stream_of(one.record) for one in batch))
            if len(streams) > 1:
                first = set(streams[: len(streams) // 2])
                done = await self._isolated([o for o in batch if _stream_of(o.record) in first])
                done += await self._isolated(
                    [o for o in batch if _stream_of(o.record) not in first]
                )
                return done
            if len(batch) > 1:
                return await self._one_by_one(batch)
            # A bug that every batch meets is nobody's own.
            await self._handler([])
            reason = f"unexpected: {type(error).__name__}"
            log.critical(
                "message set aside: its handler failed on it alone",
                group=self._group,
                topic=batch[0].record.topic,
                partition=batch[0].record.partition,
                offset=batch[0].record.offset,
                exc_info=error,
            )
            return _Sorted(failed=[(batch[0], reason)])

    async def _one_by_one(self, stream: Sequence[Received]) -> _Sorted:
        done = _Sorted()
        for at, one in enumerate(stream):
            done += await self._isolated([one])
            if done.failed and self._ordered:
                done.waits += stream[at + 1 :]
                break
        return done

    async def _bury(self, dead: Sequence[tuple[Record, str]]) -> None:
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

    async def _set_aside(self, done: _Sorted) -> None:
        waits = "waits for what was set aside of its stream before"
        all_of_them: list[tuple[Record, str, Why]] = [
            *((one.record, reason, "unexpected") for one, reason in done.failed),
            *((one.record, waits, "waits") for one in done.waits),
        ]
        new = [one for one in all_of_them if not self._knows(one[0])]
        await self._publisher.publish(
            [
                set_aside(self._topics[record.topic], record, reason, self._group, why)
                for record, reason, why in new
            ]
        )
        for record, reason, _ in new:
            topic = self._topics[record.topic]
            DEAD_LETTERS.labels(topic.value, self._group).inc()
            self._remember(record, origin_of(topic, record), reason)
        self._tell()

    def _knows(self, record: Record) -> bool:
        trouble = self._troubles.get(_stream_of(record))
        origin = origin_of(self._topics[record.topic], record)
        return trouble is not None and origin in trouble.origins

    def _remember(self, record: Record, origin: str, reason: str) -> None:
        self._troubles.setdefault(_stream_of(record), _Trouble(reason)).origins.add(origin)

    def _forget(self, kept: Kept) -> None:
        stream = _stream_of(kept.record)
        if (trouble := self._troubles.get(stream)) is None:
            return
        trouble.origins.discard(kept.origin)
        if not trouble.origins:
            del self._troubles[stream]

    def _tell(self) -> None:
        for name, topic in self._topics.items():
            mine = (len(t.origins) for (of, _), t in self._troubles.items() if of == name)
            SET_ASIDE_MESSAGES.labels(topic.value, self._group).set(sum(mine))


def _read(record: Record) -> Received:
    return Received(read_envelope(record.key, record.headers, record.value or b""), record)


def _stream_of(record: Record) -> _Stream:
    return record.topic, record.key or b""
