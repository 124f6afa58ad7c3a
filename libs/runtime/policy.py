"""What becomes of a batch: each failure by its kind. It knows nothing of fetching and of offsets.

* A message that cannot be read, or that the handler refuses, becomes a dead letter, with its
  original bytes and headers.
* A transient failure (a server that does not answer) comes through: the batch is given again.
* What a newer version of Parley wrote stops its partition where it stands: nothing is lost, the
  others go on, and a newer process goes on there.
* Anything else is a message's own trouble. The batch is bisected by stream until what fails stands
  alone; that is *set aside* (``set_aside.py``), with an alert, a metric and a word in ``/readyz``,
  and all others go on. Where order matters, what comes later of that stream waits behind it.
* Where the handler says "not yet" (Transient) of one stream for long, while others pass beside it,
  that is the stream's own trouble too: it is set aside likewise, and tried again each minute.
* Where the handler fails on an empty batch too, it fails on every batch: that bug comes through,
  and ends the process. So does what a server refuses whoever asks (its disk is full, the password
  is wrong): it is not the message's trouble.

What is set aside is tried again when a process takes over the partition, which a newer release does
too, and when a person asks for it (``parley set-aside retry``).
"""

import itertools
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import TopicPartition

from libs.events.envelope import InvalidEnvelope, read_envelope
from libs.events.registry import InvalidBody, NewerType, UnknownType
from libs.events.topics import Topic
from libs.runtime.away import Transient
from libs.runtime.dead_letters import each_letter
from libs.runtime.isolating import Handler, Isolation, Received, Sorted, Stream, stream_of
from libs.runtime.kafka import Publisher
from libs.runtime.kafka_access import Kafka
from libs.runtime.metrics import DEAD_LETTERS, SET_ASIDE_MESSAGES
from libs.runtime.set_aside import (
    GROUP,
    RETRY,
    Kept,
    Why,
    dead_letter,
    kept_in_twin,
    of_ours,
    origin_of,
    released,
    set_aside,
)
from libs.runtime.streams import Record, Wanted

log = structlog.get_logger()

# How often a group that has something set aside looks whether a person asks to try again.
LOOK_SECONDS: Final = 3.0
# How often what only says "not yet" is tried again by itself.
HELD_AGAIN_SECONDS: Final = 60.0
# How many streams are tried again at once.
_AGAIN_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a partition stops, and why."""

    offset: int
    reason: str


@dataclass(slots=True)
class _Trouble:
    """What is set aside of one stream: from where, and why its first message failed."""

    reason: str
    is_held: bool
    origins: set[str] = field(default_factory=set)


class Policy:
    """One group's. ``topics``: by their names with the namespace. ``ordered``: what comes later of
    a stream that is set aside waits; else each message stands for itself. ``wanted``: as of
    the subscription. The handler comes with each batch.
    """

    def __init__(
        self,
        topics: Mapping[str, Topic],
        group: str,
        publisher: Publisher,
        *,
        bootstrap_servers: Kafka,
        namespace: str,
        wanted: Wanted | None,
        ordered: bool,
    ) -> None:
        self._topics = topics
        self._group = group
        self._publisher = publisher
        self._bootstrap_servers = bootstrap_servers
        self._namespace = namespace
        self._wanted = wanted
        self._ordered = ordered
        self._isolation = Isolation(group, ordered)
        self._troubles: dict[Stream, _Trouble] = {}
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._read_to: dict[Topic, int] = {}
        self._look_at = 0.0
        self._held_at = 0.0

    def told(self) -> dict[str, str]:
        """Each stream of which something is set aside here, and why."""
        return {
            f"{topic.removeprefix(self._namespace)}:{key.decode('utf-8', 'replace')}": (
                f"{trouble.reason} ({len(trouble.origins)} set aside)"
            )
            for (topic, key), trouble in self._troubles.items()
        }

    async def apply(
        self,
        batches: Mapping[TopicPartition, Sequence[Record]],
        handler: Handler,
        *,
        is_held: bool = False,
    ) -> dict[TopicPartition, Stop]:
        """The effects of the batches are durable; where a partition stops, those before it.
        ``is_held``: a transient failure has held these batches for long.

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
        done = await self._sorted(readable, handler, is_held=is_held)
        dead += [(one.received.record, one.reason) for one in done.refused]
        if dead:
            await self._bury(dead)
        if done.failed or done.waits:
            await self._set_aside(done)
        return stops

    async def begin(self, assigned: Collection[TopicPartition], handler: Handler) -> None:
        """These partitions are the group's member's now: learn what is set aside of them, and try
        it again. Errors: as of ``apply``."""
        self._assigned = frozenset(assigned)
        kept = [one for topic in self._topics.values() for one in await self._kept(topic)]
        self._troubles.clear()
        for one in kept:
            self._remember(one.record, one.origin, one.reason, is_held=one.is_held)
        self._tell()
        await self._again(kept, handler)

    @property
    def is_to_look(self) -> bool:
        """Whether ``look`` has anything to do."""
        return bool(self._troubles) and time.monotonic() >= self._look_at

    async def look(self, handler: Handler) -> None:
        """Try again what a person asks for, and what only said "not yet"; nothing is read while
        nothing is set aside.

        Errors: as of ``apply``, and KafkaError."""
        if not self.is_to_look:
            return
        now = time.monotonic()
        self._look_at = now + LOOK_SECONDS
        held = set[Stream]()
        if now >= self._held_at:
            self._held_at = now + HELD_AGAIN_SECONDS
            held = {stream for stream, trouble in self._troubles.items() if trouble.is_held}
        for name, topic in self._topics.items():
            asked = await self._asked(topic)
            wanted = {
                key
                for of, key in self._troubles
                if of == name and (None in asked or key in asked or (of, key) in held)
            }
            if wanted:
                kept = [one for one in await self._kept(topic) if one.key in wanted]
                await self._again(kept, handler)

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

    async def _again(self, kept: Sequence[Kept], handler: Handler) -> None:
        by_stream: dict[Stream, list[Kept]] = defaultdict(list)
        for one in kept:
            by_stream[stream_of(one.record)].append(one)
        held = {stream for stream, some in by_stream.items() if any(one.is_held for one in some)}
        for some in itertools.batched(
            (one for one in by_stream if one not in held), _AGAIN_AT_ONCE
        ):
            await self._once_more([one for stream in some for one in by_stream[stream]], handler)
        for stream in held:
            try:
                await self._once_more(by_stream[stream], handler)
            except Transient as error:
                log.warning("a stream is held as before", group=self._group, error=repr(error))

    async def _once_more(self, kept: Sequence[Kept], handler: Handler) -> None:
        readable, unread = [], set()
        for one in kept:
            try:
                readable.append(_read(one.record))
            except (InvalidEnvelope, InvalidBody, UnknownType):
                # It could be read once: a newer process wrote or read it, and it stays for one.
                unread.add(stream_of(one.record))
        readable = [one for one in readable if stream_of(one.record) not in unread]
        done = await self._isolation.apply(readable, handler)
        if done.refused:
            await self._bury([(one.received.record, one.reason) for one in done.refused])
        still = {id(one.received.record) for one in done.failed}
        still |= {id(one.record) for one in done.waits}
        ended = [
            one
            for one in kept
            if id(one.record) not in still and stream_of(one.record) not in unread
        ]
        await self._publisher.publish([released(one) for one in ended])
        for one in ended:
            self._forget(one)
            log.warning("applied after it was set aside", group=self._group, origin=one.origin)
        self._tell()

    async def _sorted(
        self, batch: Sequence[Received], handler: Handler, *, is_held: bool
    ) -> Sorted:
        isolation = self._isolation
        isolated = isolation.apply_held if is_held else isolation.apply
        if not self._troubles:
            return await isolated(batch, handler) if batch else Sorted()
        others, known, waits = [], [], []
        for one in batch:
            trouble = self._troubles.get(stream_of(one.record))
            if trouble is None:
                others.append(one)
            elif self._ordered or trouble.is_held:
                waits.append(one)
            else:
                known.append(one)
        done = await isolated(others, handler) if others else Sorted()
        if known:
            # Apart, so that the others need not be given twice each time.
            done += await self._isolation.apply(known, handler)
        done.waits += waits
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

    async def _set_aside(self, done: Sorted) -> None:
        waits = "waits for what was set aside of its stream before"
        all_of_them: list[tuple[Record, str, Why]] = [
            *((one.received.record, one.reason, one.why) for one in done.failed),
            *((one.record, waits, "waits") for one in done.waits),
        ]
        new = [one for one in all_of_them if not self._knows(one[0])]
        await self._publisher.publish(
            [
                set_aside(self._topics[record.topic], record, reason, self._group, why)
                for record, reason, why in new
            ]
        )
        for record, reason, why in new:
            topic = self._topics[record.topic]
            DEAD_LETTERS.labels(topic.value, self._group).inc()
            self._remember(record, origin_of(topic, record), reason, is_held=why == "held")
            if why == "held":
                self._held_at = time.monotonic() + HELD_AGAIN_SECONDS
        self._tell()

    def _knows(self, record: Record) -> bool:
        trouble = self._troubles.get(stream_of(record))
        origin = origin_of(self._topics[record.topic], record)
        return trouble is not None and origin in trouble.origins

    def _remember(self, record: Record, origin: str, reason: str, *, is_held: bool) -> None:
        trouble = self._troubles.setdefault(stream_of(record), _Trouble(reason, is_held))
        trouble.origins.add(origin)

    def _forget(self, kept: Kept) -> None:
        stream = stream_of(kept.record)
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
