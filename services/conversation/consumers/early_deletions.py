"""Deletions that came before their messages, kept for as long as those may still come.

    {_id: message id, at: when it was deleted, noted_at}

A platform tells of what follows at once in no certain order. Both come by one partition, so the
replica that notes a deletion is nearly always the one that the message comes to; where it is not,
the other has looked since. They are few: asking with each batch would be a round trip on the way of
every message.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from cachetools import FIFOCache
from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from libs.runtime.away import SERVER_AWAY
from libs.runtime.mongo import Document
from libs.runtime.stopping import stopped_within

log = structlog.get_logger()

EARLY_DELETIONS: Final = "conversation_early_deletions"
_KEPT: Final = timedelta(hours=6)
_MOST: Final = 20_000
_EVERY_SECONDS: Final = 1.0
INDEXES: Final = (
    IndexModel(
        [("noted_at", ASCENDING)], name="noted", expireAfterSeconds=int(_KEPT.total_seconds())
    ),
)


class EarlyDeletions:
    """``at``: when what has not come yet was deleted, by message id; the newest so many."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection
        self._seen_until = datetime.fromtimestamp(0, UTC)
        self.at: FIFOCache[str, datetime] = FIFOCache(_MOST)

    async def run(self, stop: asyncio.Event) -> None:
        while not await stopped_within(stop, _EVERY_SECONDS):
            try:
                await self.refresh()
            except SERVER_AWAY as error:
                log.warning("early deletions are not looked for now", error=type(error).__name__)

    async def refresh(self) -> None:
        """Errors: the driver's."""
        # Two replicas' clocks differ, and so do the ends of their writes.
        since = self._seen_until - timedelta(seconds=10)
        newest = self._collection.find({"noted_at": {"$gt": since}})
        for row in await newest.sort("noted_at", DESCENDING).limit(_MOST).to_list():
            self._seen_until = max(self._seen_until, row["noted_at"])
            self._remember(row["_id"], row["at"])

    async def note(self, deleted: Mapping[str, datetime]) -> None:
        """Errors: the driver's."""
        now = datetime.now(UTC)
        notes = [
            UpdateOne({"_id": one}, {"$setOnInsert": {"at": at, "noted_at": now}}, upsert=True)
            for one, at in deleted.items()
        ]
        if notes:
            await self._collection.bulk_write(notes, ordered=False)
        for one, at in deleted.items():
            self._remember(one, at)

    def _remember(self, message_id: str, at: datetime) -> None:
        self.at.setdefault(message_id, at)
