"""Saved filters: a member's own names for what they often ask the inbox for.

    {_id, workspace, member, name, filter: {…}}

(collection ``conversation_saved_filters``). A plain collection, and no events: it is a member's
convenience, and nobody asks when it changed.
"""

from typing import Final

import msgspec
from fastapi import FastAPI, Request
from pymongo import ASCENDING, IndexModel
from starlette.responses import Response

from libs.events.api.filters import ListAsked, SavedFilter, SavedFilters, SaveFilter
from libs.events.ids import random_id
from libs.runtime.bodies import BodyReader
from libs.runtime.http import caller_of, json_response
from libs.runtime.idempotency import Answers
from libs.runtime.mongo import Document
from libs.runtime.problems import Conflict, Forbidden, NotFound
from libs.runtime.tokens import Caller, ServiceTokens
from services.conversation.rows import Rows
from services.conversation.telling import TEXTS

SAVED_FILTERS: Final = "conversation_saved_filters"

_AT_MOST: Final = 100
_PATH: Final = "/v1/saved-filters"
_INDEXES: Final = (IndexModel([("workspace", ASCENDING), ("member", ASCENDING)], name="member"),)


class Saved:
    """Those of all members. All errors are pymongo's, and those named."""

    def __init__(self, collection: Rows) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        await self._collection.create_indexes(list(_INDEXES))

    async def of(self, caller: Caller) -> SavedFilters:
        found = await self._collection.find(_own(caller)).to_list()
        return SavedFilters(items=tuple(sorted(map(_view, found), key=lambda one: one.name)))

    async def add(self, caller: Caller, wanted: SaveFilter) -> SavedFilter:
        """Errors: Conflict (there are too many)."""
        if await self._collection.count_documents(_own(caller)) >= _AT_MOST:
            raise Conflict(TEXTS.say("conflict.saved-filters", {"count": _AT_MOST}))
        document: Document = {"_id": random_id("flt"), **_own(caller), **_fields(wanted)}
        await self._collection.insert_one(document)
        return _view(document)

    async def change(self, caller: Caller, filter_id: str, wanted: SaveFilter) -> SavedFilter:
        """Errors: NotFound."""
        own = {"_id": filter_id, **_own(caller)}
        changed = await self._collection.update_one(own, {"$set": _fields(wanted)})
        if not changed.matched_count:
            raise NotFound(TEXTS.say("not-found.saved-filter"))
        return _view({**own, **_fields(wanted)})

    async def delete(self, caller: Caller, filter_id: str) -> None:
        """What is gone already may be deleted again."""
        await self._collection.delete_one({"_id": filter_id, **_own(caller)})


def add_saved_filter_routes(
    app: FastAPI, saved: Saved, answers: Answers, tokens: ServiceTokens
) -> None:
    verified = caller_of(tokens)
    reader = BodyReader(SaveFilter)

    def member(request: Request) -> Caller:
        caller = verified(request)
        if not caller.member_id:
            raise Forbidden(TEXTS.say("forbidden.members-only"))
        return caller

    async def every(request: Request) -> Response:
        return json_response(await saved.of(member(request)))

    async def add(request: Request) -> Response:
        caller = member(request)
        wanted, raw = await reader.read(request)

        async def work(_cause: str) -> Response:
            return json_response(await saved.add(caller, wanted), 201)

        return await answers.once(request, caller, raw, work)

    async def change(request: Request) -> Response:
        caller = member(request)
        wanted, _ = await reader.read(request)
        return json_response(await saved.change(caller, request.path_params["filter_id"], wanted))

    async def delete(request: Request) -> Response:
        await saved.delete(member(request), request.path_params["filter_id"])
        return Response(status_code=204)

    app.add_route(_PATH, every, ["GET"])
    app.add_route(_PATH, add, ["POST"])
    app.add_route(_PATH + "/{filter_id}", change, ["PUT"])
    app.add_route(_PATH + "/{filter_id}", delete, ["DELETE"])


def _own(caller: Caller) -> Document:
    return {"workspace": caller.workspace_id, "member": caller.member_id}


def _fields(wanted: SaveFilter) -> Document:
    return {"name": wanted.name, "filter": msgspec.to_builtins(wanted.filter)}


def _view(document: Document) -> SavedFilter:
    asked = msgspec.convert(document["filter"], ListAsked)
    return SavedFilter(filter_id=document["_id"], name=document["name"], filter=asked)
