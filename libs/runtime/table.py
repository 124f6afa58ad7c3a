"""A compacted topic as a table in memory: the whole present state, followed as it changes."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import TopicPartition

from libs.events.envelope import Envelope, InvalidEnvelope, read_envelope, sequence_in
from libs.events.registry import InvalidBody, NewerType, UnknownType, all_types, family_of
from libs.events.topics import Topic
from libs.runtime.follower import Follower
from libs.runtime.kafka_access import Kafka
from libs.runtime.metrics import DEAD_LETTERS, TABLE_NEWER
from libs.runtime.problems import Unavailable
from libs.runtime.streams import Record
from libs.runtime.texts import COMMON

log = structlog.get_logger()


class CompactedTable:
    """Reads a one-partition compacted topic from its beginning and goes on following it.

    ``apply`` is called for each new state in order: with the envelope, or with None for the
    tombstone of the key. Every replica reads all of it: there is no consumer group.

    A state that was published again after a newer one of its key (a stalled process, a sweeper) is
    not applied; its key is among ``stale`` until a newer one follows, because compaction keeps the
    last of a key and not the newest: the topic's owner has to publish it again.

    A state that a newer version wrote (of a type known here in an older one) is not guessed at:
    the last one understood stays, its key is among ``newer``, and the table is not ready until one
    that is understood follows. Types that are new altogether are somebody else's.
    """

    def __init__(
        self,
        topic: Topic,
        apply: Callable[[str, Envelope | None], None],
        *,
        bootstrap_servers: Kafka,
        namespace: str,
    ) -> None:
        self._topic = topic
        self._partition = TopicPartition(namespace + topic.value, 0)
        self._apply = apply
        self._follower = Follower(
            topic.value,
            (topic,),
            self._take,
            moved=self._tell,
            before=None,
            bootstrap_servers=bootstrap_servers,
            namespace=namespace,
        )
        self._sequences: dict[str, int] = {}
        self.stale: set[str] = set()
        # Each with the sequence of that state.
        self.newer: dict[str, int] = {}
        self._moved = asyncio.Event()

    @property
    def is_caught_up(self) -> bool:
        """True once everything is read that was there when the process started."""
        return self._follower.is_caught_up

    @property
    def position(self) -> int:
        """The offset that is read next: everything before it is applied."""
        return self._follower.next_of(self._partition)

    def sequence_of(self, key: str) -> int:
        """The version of the newest state that was seen of the key, 0 where there was none."""
        return self._sequences.get(key, 0)

    async def check(self) -> None:
        """For readiness. Errors: Unavailable."""
        await self._follower.check()
        if self.newer:
            raise Unavailable(COMMON.say("unavailable.newer-version"))

    async def wait_for(self, offset: int, timeout_seconds: float) -> None:
        """Return when the message at ``offset`` is applied. Errors: Unavailable after the time."""
        await self.wait_until(lambda: self.position > offset, timeout_seconds)

    async def wait_until(self, reached: Callable[[], bool], timeout_seconds: float) -> None:
        """Return when ``reached``, asked after each move. Errors: Unavailable after the time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not reached():
                    await self._moved.wait()
        except TimeoutError as error:
            raise Unavailable(COMMON.say("unavailable.behind")) from error

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        await self._follower.run(stop)

    def _take(self, record: Record) -> None:
        try:
            key = (record.key or b"").decode()
            envelope = (
                read_envelope(record.key, record.headers, record.value) if record.value else None
            )
            sequence = envelope.sequence if envelope else sequence_in(record.headers)
        except NewerType as error:
            self._not_ready_for(key, record, str(error))
            return
        except (InvalidEnvelope, InvalidBody, UnknownType, ValueError) as error:
            DEAD_LETTERS.labels(self._topic.value, "table").inc()
            log.error("state not understood", offset=record.offset, error=str(error))
            return
        newest = max(self._sequences.get(key, 0), self.newer.get(key, 0))
        if 0 < sequence < newest:
            self.stale.add(key)
            return
        self.stale.discard(key)
        if self.newer.pop(key, None) is not None:
            TABLE_NEWER.labels(self._topic.value).set(len(self.newer))
            newest = self._sequences.get(key, 0)
        self._sequences[key] = sequence
        if sequence == 0 or sequence > newest:
            self._apply(key, envelope)

    def _not_ready_for(self, key: str, record: Record, reason: str) -> None:
        known = {family_of(one.name) for one in all_types() if one.topic is self._topic}
        if family_of(dict(record.headers)["ce_type"].decode()) not in known:
            log.info("a kind of state that is not known here", offset=record.offset, reason=reason)
            return
        sequence = sequence_in(record.headers)
        if 0 < sequence < self._sequences.get(key, 0):
            self.stale.add(key)
            return
        self.newer[key] = max(sequence, self.newer.get(key, 0))
        TABLE_NEWER.labels(self._topic.value).set(len(self.newer))
        log.critical(
            "not ready: a newer version wrote this state",
            topic=self._topic.value,
            offset=record.offset,
            reason=reason,
        )

    def _tell(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
