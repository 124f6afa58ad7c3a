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
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from libs.eventstore.chain import Head
from libs.runtime.left_out import left_out
from libs.runtime.stopping import stopped_within
from libs.runtime.storage import StorageAway
from libs.runtime.streams import Record
from services.conversation.anchors.anchor import AnchorKey, Before
from services.conversation.anchors.storage import AnchorStorage
from services.conversation.metrics import ANCHORS

log = structlog.get_logger()

COMMIT_HEADER: Final = "ce_commit"
# An anchor is written before its time when so many heads are waiting: 10 MB of memory.
_HEADS_AT_MOST: Final = 20_000
_PAUSE_SECONDS: Final = 1.0


class AnchorWriter:
    """``interval_seconds``: how long a head waits for its anchor at most, in ordinary times.
    ``stop``: the process ends; what was not written by then is met again."""

    def __init__(
        self,
        storage: AnchorStorage,
        key: AnchorKey,
        stop: asyncio.Event,
        *,
        interval_seconds: float,
    ) -> None:
        self._storage = storage
        self._key = key
        self._stop = stop
        self._interval_seconds = interval_seconds
        self._due = time.monotonic() + interval_seconds
        self._heads: defaultdict[str, dict[str, Head]] = defaultdict(dict)
        self._last: dict[str, Before] = {}

    async def gather(self, records: Sequence[Record]) -> bool:
        """For the subscriber: whether every head that it was given is in an anchor now."""
        self._gather(records)
        now = time.monotonic()
        if now < self._due and self._waiting() < _HEADS_AT_MOST:
            return False
        self._due = now + self._interval_seconds
        return await self._write()

    def _gather(self, records: Sequence[Record]) -> None:
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

    async def _write(self) -> bool:
        """Write what waits, however long the storage is away; whether that was before the stop."""
        while self._heads:
            workspace = next(iter(self._heads))
            try:
                await self._anchor(workspace)
            except StorageAway as error:
                log.warning("no anchor yet, tried again", error=str(error))
                if await stopped_within(self._stop, _PAUSE_SECONDS):
                    return False
            else:
                del self._heads[workspace]
        return True

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
