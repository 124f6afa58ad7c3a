"""Writing anchors: the heads are taken from what was published, as it was published.

Every message that the service publishes says which commit it is of (``ce_commit``: the stream, the
version at which the commit ends, its hash, with colons between). One consumer group gathers the
newest head of each stream, writes an anchor a workspace every so often, and only then commits its
offsets. So a head that was not anchored when a process stopped is met again by the next, whoever
that is; nothing is looked for in MongoDB, and what somebody has changed there since cannot get into
an anchor.

An anchor only says what was true when it was written. So the same head in two anchors, or an older
one after a newer, as a rebalance of the group may bring about, do no harm.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from libs.events.topics import Topic
from libs.eventstore.chain import Head
from libs.runtime.kafka import GROUP_MEMBER, patient
from libs.runtime.kafka_access import Kafka, client_options
from libs.runtime.left_out import left_out
from libs.runtime.reading import Reader, read_on
from libs.runtime.stopping import stopped_within
from libs.runtime.storage import StorageAway
from services.conversation.anchors.anchor import AnchorKey, Before
from services.conversation.anchors.storage import AnchorStorage
from services.conversation.metrics import ANCHORS

log = structlog.get_logger()

COMMIT_HEADER: Final = "ce_commit"
GROUP: Final = "conversation-anchors"
_TOPICS: Final = (Topic.CONVERSATION, Topic.CUSTOMER)
_AT_ONCE: Final = 2_000
# An anchor is written before its time when so many heads are waiting: 10 MB of memory.
_HEADS_AT_MOST: Final = 20_000
_LONGEST_WAIT_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 1.0


class AnchorWriter:
    """``interval_seconds``: how long a head waits for its anchor at most, in ordinary times."""

    def __init__(
        self,
        storage: AnchorStorage,
        key: AnchorKey,
        *,
        bootstrap_servers: Kafka,
        namespace: str,
        interval_seconds: float,
    ) -> None:
        self._storage = storage
        self._key = key
        self._bootstrap_servers = bootstrap_servers
        self._namespace = namespace
        self._interval_seconds = interval_seconds
        self._heads: defaultdict[str, dict[str, Head]] = defaultdict(dict)
        self._positions: dict[TopicPartition, int] = {}
        self._last: dict[str, Before] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Gather and write until ``stop``; what was not written is met again."""
        await read_on(self._read, stop, "anchors")

    async def _read(self, stop: asyncio.Event) -> None:
        # Perhaps another's partitions by now; what was gathered of them may be written twice.
        self._positions.clear()
        patience = min(self._interval_seconds / 2, _LONGEST_WAIT_SECONDS)
        consumer = Reader(
            *(self._namespace + topic.value for topic in _TOPICS),
            **client_options(self._bootstrap_servers),
            group_id=self._namespace + GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **GROUP_MEMBER,
            # Nobody waits for an anchor, and few large fetches cost less than many small ones.
            **patient(patience),
        )
        due = asyncio.get_running_loop().time() + self._interval_seconds
        try:
            await consumer.start()
            while not stop.is_set():
                fetched = await consumer.getmany(timeout_ms=500, max_records=_AT_ONCE)
                for partition, records in fetched.items():
                    self._gather(records)
                    self._positions[partition] = records[-1].offset + 1
                now = asyncio.get_running_loop().time()
                if now >= due or self._waiting() >= _HEADS_AT_MOST:
                    await self._write(consumer, stop)
                    due = now + self._interval_seconds
        finally:
            await consumer.stop()

    def _gather(self, records: Iterable[Any]) -> None:
        for record in records:
            headers = dict(record.headers)
            if (commit := headers.get(COMMIT_HEADER)) is None:
                continue  # published by a version that had no chain, or put there by hand
            with left_out("anchor", f"{record.partition}:{record.offset}"):
                stream, version, hash_ = commit.decode().split(":")
                head = Head(int(version), bytes.fromhex(hash_))
                heads = self._heads[headers["ce_workspace"].decode()]
                if stream not in heads or heads[stream].version < head.version:
                    heads[stream] = head

    def _waiting(self) -> int:
        return sum(len(heads) for heads in self._heads.values())

    async def _write(self, consumer: "AIOKafkaConsumer[bytes, bytes]", stop: asyncio.Event) -> None:
        """Write what waits, however long the storage is away; then commit how far it goes."""
        while self._heads:
            workspace = next(iter(self._heads))
            try:
                await self._anchor(workspace)
            except StorageAway as error:
                log.warning("no anchor yet, tried again", error=str(error))
                if await stopped_within(stop, _PAUSE_SECONDS):
                    return
            else:
                del self._heads[workspace]
        assigned = consumer.assignment()
        offsets = {tp: offset for tp, offset in self._positions.items() if tp in assigned}
        self._positions.clear()
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except KafkaError as error:
            # Some heads will be anchored twice, which is as true the second time.
            log.warning("offsets of anchored heads not committed", error=repr(error))

    async def _anchor(self, workspace: str) -> None:
        while True:
            if workspace not in self._last:
                self._last[workspace] = await self._storage.last(workspace)
            before = self._last[workspace]
            anchor = self._key.anchor(workspace, before, self._heads[workspace], datetime.now(UTC))
            if await self._storage.add(anchor):
                self._last[workspace] = anchor.before_next()
                ANCHORS.inc()
                return
            # Another replica was first: follow on what it wrote.
            del self._last[workspace]
