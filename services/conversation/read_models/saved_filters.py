"""Saved filters: a member's own names for what they often ask the inbox for.

    {_id, workspace, member, name, filter: {…}, forgotten_at?}

(collection ``conversation_saved_filters``). A plain collection, and no events: it is a member's
convenience, and nobody asks when it changed. Its words may name a person: they go with the person,
and with them a name of the filter that does; the name is empty then.
"""

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

import msgspec
from pymongo import ASCENDING, IndexModel

from libs.events.api.filters import ListAsked, SavedFilter, SavedFilters, SaveFilter
from libs.events.ids import random_id
from libs.runtime.mongo import Document
from libs.runtime.problems import Conflict, NotFound
from libs.runtime.rows import Rows
from libs.runtime.tokens import Caller
from services.conversation.localization.localizer import TEXTS
from services.conversation.read_models.search.tokens import Found, Tokens

SAVED_FILTERS: Final = "conversation_saved_filters"

_AT_MOST: Final = 100
# Of shorter words nobody can be told.
_WORD_MIN_CHARACTERS: Final = 3
SAVED_FILTER_INDEXES: Final = (
    IndexModel([("workspace", ASCENDING), ("member", ASCENDING)], name="member"),
)


class TooManySavedFilters(Conflict):
    kind, title = "too-many-saved-filters", "No more filters can be saved"
    texts = TEXTS


class SavedFilterStore:
    """The saved filters of all members. ``tokens``: by which a workspace searches. Every method may
    raise the driver's errors beside those it names."""

    def __init__(self, collection: Rows, tokens: Callable[[str], Tokens]) -> None:
        self._collection = collection
        self._tokens = tokens

    async def of(self, caller: Caller) -> SavedFilters:
        found = await self._collection.find(_own(caller)).to_list()
        return SavedFilters(items=tuple(sorted(map(_view, found), key=lambda one: one.name)))

    async def get(self, caller: Caller, filter_id: str) -> SavedFilter:
        """Errors: NotFound."""
        found = await self._collection.find_one({"_id": filter_id, **_own(caller)})
        if found is None:
            raise NotFound(TEXTS.say("not-found.saved-filter"))
        return _view(found)

    async def forget(self, workspace_id: str, names: Collection[str]) -> int:
        """All members' filters, when the person who goes by these names is erased: words that find
        the person by their names are taken out. The answer is of how many filters."""
        tokens = self._tokens(workspace_id)
        of_person = await asyncio.to_thread(tokens.of_names, names)
        forgotten = 0
        async for one in self._collection.find({"workspace": workspace_id}):
            q, name = one["filter"].get("q"), one["name"]
            asks_for_them = q and await asyncio.to_thread(_finds, tokens, q, of_person)
            is_named_so = name and await asyncio.to_thread(_finds, tokens, name, of_person)
            if not (asks_for_them or is_named_so):
                continue
            change: Document = {"$set": {"forgotten_at": datetime.now(UTC)}}
            if asks_for_them:
                change["$unset"] = {"filter.q": ""}
            if is_named_so:
                change["$set"]["name"] = ""
            # One that was changed at this moment was changed by somebody who knows.
            same = {"_id": one["_id"], "name": name, "filter.q": q}
            forgotten += (await self._collection.update_one(same, change)).modified_count
        return forgotten

    async def add(self, caller: Caller, wanted: SaveFilter) -> str:
        """Its id. Errors: TooManySavedFilters."""
        if await self._collection.count_documents(_own(caller)) >= _AT_MOST:
            told = TEXTS.say("refused.too-many-saved-filters", {"count": _AT_MOST})
            raise TooManySavedFilters(told)
        document: Document = {"_id": random_id("flt"), **_own(caller), **_fields(wanted)}
        await self._collection.insert_one(document)
        return str(document["_id"])

    async def change(self, caller: Caller, filter_id: str, wanted: SaveFilter) -> SavedFilter:
        """Errors: NotFound."""
        own = {"_id": filter_id, **_own(caller)}
        change = {"$set": _fields(wanted), "$unset": {"forgotten_at": ""}}
        changed = await self._collection.update_one(own, change)
        if not changed.matched_count:
            raise NotFound(TEXTS.say("not-found.saved-filter"))
        return _view({**own, **_fields(wanted)})

    async def delete(self, caller: Caller, filter_id: str) -> None:
        """What is gone already may be deleted again."""
        await self._collection.delete_one({"_id": filter_id, **_own(caller)})


def _own(caller: Caller) -> Document:
    return {"workspace": caller.workspace_id, "member": caller.member_id}


def _fields(wanted: SaveFilter) -> Document:
    return {"name": wanted.name, "filter": msgspec.to_builtins(wanted.filter)}


def _view(document: Document) -> SavedFilter:
    return SavedFilter(
        filter_id=document["_id"],
        name=document["name"] or TEXTS.say("name.forgotten-filter"),
        filter=msgspec.convert(document["filter"], ListAsked),
        forgotten_at=document.get("forgotten_at"),
    )


def _finds(tokens: Tokens, words: str, found: Found) -> bool:
    """Whether a search for one of the words would find it."""
    return any(
        alternative.holds(found.t, found.p)
        for wanted in tokens.wanted(words)
        if len(wanted.text) >= _WORD_MIN_CHARACTERS
        for alternative in wanted.alternatives
    )
