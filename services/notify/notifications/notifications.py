"""Notifications in the application: each once for an event and a member."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import DESCENDING, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from libs.events.api.notifications import NotificationPage, NotificationView
from libs.events.notification import NotificationRaised
from libs.runtime.cursors import Instants, cursor_of, place_of
from libs.runtime.mongo import Document

_KEPT_DAYS: Final = 90
_LIST: Final = "notifications"


class Notifications:
    """Written by the consumer; those of one member are read through ``of``."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        await self._collection.create_index(
            [("workspace", 1), ("member", 1), ("raised_at", DESCENDING), ("_id", DESCENDING)],
            name="of_member",
        )
        # Kafka repeats nothing that is older than a week, so what is gone does not come back.
        await self._collection.create_index(
            "raised_at", name="expiry", expireAfterSeconds=_KEPT_DAYS * 24 * 3600
        )

    async def add(self, raised: Sequence[tuple[str, NotificationRaised]]) -> int:
        """Keep those of (workspace, notification) that are new; how many were."""
        if not raised:
            return 0
        result = await self._collection.bulk_write(
            [
                UpdateOne(
                    {"_id": one.notification_id},
                    {"$setOnInsert": _document(workspace_id, one)},
                    upsert=True,
                )
                for workspace_id, one in raised
            ],
            ordered=False,
        )
        return result.upserted_count

    async def unpublished(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids`` that Kafka has not acknowledged yet."""
        query = {"_id": {"$in": list(ids)}, "published": False}
        return {document["_id"] async for document in self._collection.find(query, {"_id": 1})}

    async def mark_published(self, ids: Sequence[str]) -> None:
        await self._collection.update_many(
            {"_id": {"$in": list(ids)}}, {"$set": {"published": True}}
        )

    def of(self, workspace_id: str, member_id: str) -> "MemberNotifications":
        return MemberNotifications(self._collection, workspace_id, member_id)


class MemberNotifications:
    """One member's, and nobody else's."""

    def __init__(
        self, collection: AsyncCollection[Document], workspace_id: str, member_id: str
    ) -> None:
        self._collection = collection
        self._own = {"workspace": workspace_id, "member": member_id}

    async def page(self, cursor: str | None, limit: int) -> NotificationPage:
        """Errors: Invalid (the cursor)."""
        query: dict[str, Any] = dict(self._own)
        if cursor is not None:
            last = place_of(cursor, Instants, _LIST)
            query["$or"] = [
                {"raised_at": {"$lt": last.at}},
                {"raised_at": last.at, "_id": {"$lt": last.id}},
            ]
        found = (
            await self._collection.find(query)
            .sort([("raised_at", DESCENDING), ("_id", DESCENDING)])
            .limit(limit + 1)
            .to_list()
        )
        shown = found[:limit]
        last_shown = shown[-1] if len(found) > limit else None
        more = None
        if last_shown is not None:
            more = cursor_of(Instants(last_shown["raised_at"], last_shown["_id"]), _LIST)
        return NotificationPage(items=tuple(map(_view, shown)), next=more)

    async def get(self, notification_id: str) -> NotificationView | None:
        """None where the member has no such notification."""
        document = await self._collection.find_one({**self._own, "_id": notification_id})
        return _view(document) if document else None

    async def mark_read(self, notification_id: str, at: datetime) -> NotificationView | None:
        """The first time counts. None where the member has no such notification."""
        unread = {**self._own, "_id": notification_id, "read_at": None}
        await self._collection.update_one(unread, {"$set": {"read_at": at}})
        return await self.get(notification_id)


def _document(workspace_id: str, one: NotificationRaised) -> Document:
    return {
        "workspace": workspace_id,
        "member": one.member_id,
        "kind": one.kind,
        "conversation": one.conversation_id,
        "case": one.case_id,
        "group": one.group_id,
        "raised_at": one.raised_at,
        "read_at": None,
        "published": False,
    }


def _view(document: Document) -> NotificationView:
    return NotificationView(
        notification_id=document["_id"],
        kind=document["kind"],
        conversation_id=document["conversation"],
        case_id=document["case"],
        group_id=document["group"],
        raised_at=document["raised_at"],
        read_at=document["read_at"],
    )
