"""Groups that became supergroups: another chat for Telegram, the same place for people.

    {_id: "<source>:<chat id of the supergroup>", source, chat, origin: chat id of the group, at}

Telegram tells of it in both chats, and refuses what is sent to the old one with the new one's id.
Which group a supergroup was is looked up once by each replica, and where it was none, again after a
while: it is told before anything else is written there, and may have been told to another replica.

Source: https://core.telegram.org/bots/api#message (migrate_to_chat_id), #responseparameters
"""

import time
from datetime import UTC, datetime
from typing import Final

from cachetools import LRUCache
from pymongo.asynchronous.collection import AsyncCollection

from libs.runtime.mongo import Document

_NONE_FOR_SECONDS: Final = 30.0
_REMEMBERED: Final = 10_000
SUPERGROUP: Final = "supergroup"


class Moves:
    """Errors of its methods: pymongo's."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection
        # By source and chat: the group, or until when it is believed to be none.
        self._origins: LRUCache[tuple[str, str], str | float] = LRUCache(_REMEMBERED)
        self._present: LRUCache[tuple[str, str], str] = LRUCache(_REMEMBERED)

    async def note(self, source_id: str, origin: str, chat_id: str) -> None:
        if self._origins.get((source_id, chat_id)) == origin:
            return
        document = {
            "source": source_id,
            "chat": chat_id,
            "origin": origin,
            "at": datetime.now(UTC),
        }
        name = {"_id": f"{source_id}:{chat_id}"}
        await self._collection.update_one(name, {"$setOnInsert": document}, upsert=True)
        self._remember(source_id, chat_id, origin)

    async def origin(self, source_id: str, chat_id: str) -> str | None:
        """The group that a supergroup was; None: none that is known."""
        known = self._origins.get((source_id, chat_id))
        if isinstance(known, str):
            return known
        if known is not None and known > time.monotonic():
            return None
        found = await self._collection.find_one({"_id": f"{source_id}:{chat_id}"})
        self._remember(source_id, chat_id, found["origin"] if found else None)
        return str(found["origin"]) if found else None

    def present(self, source_id: str, chat_id: str) -> str:
        """Where a group is now, as far as this replica knows; else Telegram says so."""
        return self._present.get((source_id, chat_id), chat_id)

    def _remember(self, source_id: str, chat_id: str, origin: str | None) -> None:
        until = time.monotonic() + _NONE_FOR_SECONDS
        self._origins[source_id, chat_id] = until if origin is None else origin
        if origin is not None:
            self._present[source_id, origin] = chat_id
