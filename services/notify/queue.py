"""Documents that wait for their turn, for workers on every replica.

Each has ``state`` (``queued`` at first), ``due_at``, ``attempt``, and ``ended_at`` when it is over.
A claim is a lease: ``due_at`` is its end then, and a replica that dies gives it up by time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from libs.runtime.mongo import Document

_KEPT_DAYS: Final = 30
SENDING_LEASE: Final = timedelta(seconds=60)


class Queue:
    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        await self._collection.create_index([("state", 1), ("due_at", 1)], name="due")
        await self._collection.create_index(
            "ended_at", name="expiry", expireAfterSeconds=_KEPT_DAYS * 24 * 3600
        )

    async def add(self, documents: Mapping[str, Document]) -> int:
        """Keep those that are new, by id, with their ``due_at``; how many were."""
        if not documents:
            return 0
        waiting = {"attempt": 0, "state": "queued"}
        result = await self._collection.bulk_write(
            [
                UpdateOne({"_id": one}, {"$setOnInsert": {**document, **waiting}}, upsert=True)
                for one, document in documents.items()
            ],
            ordered=False,
        )
        return result.upserted_count

    async def claim(self, now: datetime, **only: Any) -> Document | None:
        """One that is due (of those that ``only`` says), for this caller until its lease ends."""
        document: Document | None = await self._collection.find_one_and_update(
            {"state": "queued", "due_at": {"$lte": now}, **only},
            {"$set": {"state": "sending", "due_at": now + SENDING_LEASE}, "$inc": {"attempt": 1}},
            sort=[("due_at", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        return document

    async def move(self, one: str, attempt: int, state: str, change: Document) -> bool:
        """False where the lease was lost: then another's word stands."""
        result = await self._collection.update_one(
            {"_id": one, "state": state, "attempt": attempt}, {"$set": change}
        )
        return result.modified_count == 1

    async def give_up_leases(self, now: datetime, state: str, change: Document) -> int:
        """What dead replicas left behind in this state; how many."""
        result = await self._collection.update_many(
            {"state": state, "due_at": {"$lte": now}}, {"$set": change}
        )
        return result.modified_count

    async def count(self, states: Sequence[str]) -> int:
        return await self._collection.count_documents({"state": {"$in": list(states)}})
