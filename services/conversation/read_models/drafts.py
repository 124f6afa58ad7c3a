"""Unsent drafts: what a member began to write in a conversation, for nobody but them.

    {_id: "<conversation>/<member>", workspace, member, conversation, text, reply_to, at}

(collection ``conversation_drafts``). A plain collection, and no events: a draft is not a fact, and
it changes with every pause in the typing. One that nobody goes on with is forgotten in the end.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection

from libs.events.api import Draft, DraftView
from libs.events.words import is_blank
from libs.runtime.combine import Combiner
from libs.runtime.mongo import Document

DRAFTS: Final = "conversation_drafts"

DRAFT_MAX_CHARACTERS: Final = 10_000
KEPT_FOR: Final = timedelta(days=90)
# Who has no more than this in all is not asked for each page.
_FEW: Final = 200

_INDEXES: Final = (
    IndexModel([("member", ASCENDING)], name="member"),
    IndexModel([("conversation", ASCENDING)], name="conversation"),
    IndexModel(
        [("at", ASCENDING)], name="expiry", expireAfterSeconds=int(KEPT_FOR.total_seconds())
    ),
)


class Drafts:
    """All errors are pymongo's."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection
        self._deleting = Combiner[str, None](self._delete)

    async def ensure_indexes(self) -> None:
        await self._collection.create_indexes(list(_INDEXES))

    async def put(
        self, workspace_id: str, member_id: str, conversation_id: str, draft: Draft
    ) -> DraftView:
        """In place of what was there; nothing is kept of an empty text."""
        if is_blank(draft.text):
            await self.delete(member_id, conversation_id)
            return DraftView()
        # As the database keeps it, so that it is answered alike now and later.
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        document: Document = {
            "_id": _id(member_id, conversation_id),
            "workspace": workspace_id,
            "member": member_id,
            "conversation": conversation_id,
            "text": draft.text,
            "reply_to": draft.reply_to,
            "at": now,
        }
        await self._collection.replace_one({"_id": document["_id"]}, document, upsert=True)
        return _view(document)

    async def get(self, member_id: str, conversation_id: str) -> DraftView:
        """An empty one where there is none."""
        found = await self._collection.find_one({"_id": _id(member_id, conversation_id)})
        return _view(found) if found else DraftView()

    async def delete(self, member_id: str, conversation_id: str) -> None:
        """Those of replies that were sent together are deleted together."""
        await self._deleting(_id(member_id, conversation_id))

    async def exists(self, member_id: str, conversation_id: str) -> bool:
        one = {"_id": _id(member_id, conversation_id)}
        return await self._collection.find_one(one, {"_id": 1}) is not None

    async def marks_on(self, listed: Awaitable[bytes], member_id: str) -> bytes:
        """The encoded page of conversations that is awaited, with the member's drafts marked.

        A member mostly has few, which are asked for while the page is made.
        """
        page, few = await asyncio.gather(listed, self._found({"member": member_id}, _FEW + 1))
        if len(few) <= _FEW:
            return marked(page, few)
        shown = _page(page).items
        ids = [_id(member_id, one.conversation_id) for one in shown]
        return marked(page, await self._found({"_id": {"$in": ids}}, len(ids)))

    async def _found(self, which: Document, limit: int) -> list[str]:
        """The drafts' conversations."""
        found = self._collection.find(which, {"conversation": 1}, limit=limit)
        return [document["conversation"] for document in await found.to_list()]

    async def forget(self, conversation_ids: list[str]) -> int:
        """Every member's draft in these conversations, when their customer is erased."""
        asked = {"conversation": {"$in": conversation_ids}}
        return (await self._collection.delete_many(asked)).deleted_count

    async def _delete(self, ids: Sequence[str]) -> Sequence[None]:
        await self._collection.delete_many({"_id": {"$in": ids}})
        return [None] * len(ids)


class _Shown(msgspec.Struct):
    conversation_id: str


class _Page(msgspec.Struct):
    items: tuple[_Shown, ...]


_page: Final = msgspec.json.Decoder(_Page).decode


def marked(page: bytes, conversation_ids: list[str]) -> bytes:
    """An encoded page of conversations, those in which there is a draft marked ``has_draft``.

    Pages are encoded once for all who ask for the same, so the mark is put into the bytes. A view
    begins with its id, and within a text quotes are escaped: nothing else looks like it.
    """
    for conversation_id in conversation_ids:
        begin = b'{"conversation_id":"%b",' % conversation_id.encode()
        page = page.replace(begin, begin + b'"has_draft":true,', 1)
    return page


def _id(member_id: str, conversation_id: str) -> str:
    return f"{conversation_id}/{member_id}"


def _view(document: Any) -> DraftView:
    return DraftView(text=document["text"], reply_to=document["reply_to"], saved_at=document["at"])
