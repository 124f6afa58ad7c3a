"""Attachments for the other services: put one there, ask what it is, get its bytes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from libs.events.api import DescribeAttachments, StoredAttachments
from libs.events.content import Attachment
from libs.events.ids import random_id
from libs.runtime.bodies import BodyReader, check_query, invalid_field, read_query
from libs.runtime.headers import disposition, media_type_of
from libs.runtime.http import json_response
from libs.runtime.problems import NotFound, TooLarge, Unavailable
from libs.runtime.storage import StorageAway
from libs.runtime.tokens import Caller
from libs.runtime.trust import caller_of
from services.ingest.attachments import rules
from services.ingest.attachments.fetch import UNREACHABLE, Fetcher
from services.ingest.attachments.store import AttachmentStore, Note
from services.ingest.localization import TEXTS
from services.ingest.metrics import ATTACHMENTS

_DESCRIBE_MAX: Final = 100


class _Shown(msgspec.Struct):
    """Who may see a file is conversation's to say: those who see a message with it, or, of one
    that is in none, who gave it."""

    shown: Literal["all", "own", "no"] = "all"


class _Upload:
    """A body on its way into the storage, watched while it passes."""

    def __init__(self, request: Request) -> None:
        self._body = request.stream()
        self.head = b""
        self.tail = b""
        self.size = 0

    async def read_head(self) -> None:
        async for chunk in self._body:
            self.head += chunk
            if len(self.head) >= rules.HEAD_BYTES:
                return

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """All of it. Errors: TooLarge, RefusedFile."""
        if self.head:
            yield self._passed(self.head, limit)
        async for chunk in self._body:
            if chunk:
                yield self._passed(chunk, limit)
        rules.check_tail(self.tail)

    def _passed(self, chunk: bytes, limit: int) -> bytes:
        self.size += len(chunk)
        if self.size > limit:
            raise too_large(limit)
        self.tail = (self.tail + chunk)[-rules.TAIL_BYTES :]
        return chunk


def too_large(limit: int) -> TooLarge:
    return TooLarge(
        TEXTS.say("too-large.file", {"megabytes": f"{limit / 2**20:g}"}), limit_bytes=limit
    )


def attachment_routes(store: AttachmentStore, fetcher: Fetcher) -> list[BaseRoute]:
    """Everything happens within the workspace of the caller's token.

    Errors: 401, 404, 413, 422 (an executable, an empty file, too long a name), 503 (storage away).
    """
    describing = BodyReader(DescribeAttachments)

    async def upload(request: Request) -> Response:
        caller = caller_of(request)
        check_query(request, ("file_name",))
        try:
            attachment = await _store(request, caller)
        except rules.RefusedFile as error:
            ATTACHMENTS.labels("outgoing", "refused").inc()
            raise invalid_field(error.field, error.told) from error
        except TooLarge:
            ATTACHMENTS.labels("outgoing", "too-large").inc()
            raise
        except StorageAway as error:
            raise Unavailable(TEXTS.say("unavailable.storage")) from error
        ATTACHMENTS.labels("outgoing", "stored").inc()
        return json_response(attachment, 201)

    async def _store(request: Request, caller: Caller) -> Attachment:
        file_name = request.query_params.get("file_name", "")
        rules.check_name(file_name)
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > rules.FILE_MAX_BYTES:
            raise too_large(rules.FILE_MAX_BYTES)
        body = _Upload(request)
        await body.read_head()
        if not body.head:
            raise invalid_field("file", TEXTS.say("invalid.empty"))
        rules.check_head(body.head)
        media_type = media_type_of(request.headers.get("content-type"))
        kind = rules.kind_of(media_type, body.head)
        limit = rules.limit_of(kind)
        if declared.isdigit() and int(declared) > limit:
            raise too_large(limit)
        attachment_id = random_id("att")
        await store.put(caller.workspace_id, attachment_id, body.pieces(limit))
        attachment = Attachment(
            attachment_id=attachment_id,
            kind=kind,
            media_type=rules.image_type(body.head) or media_type,
            reference=attachment_id,
            file_name=file_name or None,
            size_bytes=body.size,
        )
        await store.note(caller.workspace_id, Note(attachment, member_id=caller.member_id))
        return attachment

    async def describe(request: Request) -> Response:
        caller = caller_of(request)
        wanted, _ = await describing.read(request)
        if len(wanted.ids) > _DESCRIBE_MAX:
            raise invalid_field("ids", TEXTS.say("invalid.too-many", {"count": _DESCRIBE_MAX}))
        try:
            notes = await asyncio.gather(
                *(store.describe(caller.workspace_id, one) for one in wanted.ids)
            )
        except StorageAway as error:
            raise Unavailable(TEXTS.say("unavailable.storage")) from error
        return json_response(
            StoredAttachments(
                items=tuple(
                    note.attachment
                    for note in notes
                    if note is not None
                    and note.missing is None
                    and (
                        note.attachment.attachment_id not in wanted.own
                        or note.member_id == caller.member_id
                    )
                )
            )
        )

    async def get(request: Request) -> Response:
        caller = caller_of(request)
        shown = read_query(request, _Shown).shown
        attachment_id = request.path_params["attachment_id"]
        try:
            note = await store.describe(caller.workspace_id, attachment_id)
            if note is not None and (
                shown == "no" or (shown == "own" and note.member_id != caller.member_id)
            ):
                note = None
            if note is not None and note.missing == UNREACHABLE:
                note = await fetcher.again(caller.workspace_id, note)
            if note is None:
                raise NotFound(TEXTS.say("not-found.attachment"))
            if note.missing is not None:
                told = TEXTS.say(f"not-found.attachment.{note.missing}")
                raise NotFound(told, reason=note.missing)
            return await file_response(store, caller.workspace_id, note.attachment)
        except StorageAway as error:
            raise Unavailable(TEXTS.say("unavailable.storage")) from error

    return [
        Route("/v1/attachments", upload, methods=["POST"]),
        Route("/v1/attachments/describe", describe, methods=["POST"]),
        Route("/v1/attachments/{attachment_id}", get, methods=["GET"]),
    ]


async def file_response(
    store: AttachmentStore, workspace_id: str, attachment: Attachment
) -> StreamingResponse:
    """Its bytes, as they come. Errors: NotFound, StorageAway."""
    content = await store.stream(workspace_id, attachment.attachment_id)
    if content is None:
        raise NotFound(TEXTS.say("not-found.attachment"))
    return StreamingResponse(content, headers=_headers(attachment))


def _headers(attachment: Attachment) -> dict[str, str]:
    """Images may be shown in a page; anything else is only ever saved, whatever it claims to be."""
    way = "inline" if attachment.kind == "image" else "attachment"
    return {
        "content-type": media_type_of(attachment.media_type),
        "content-disposition": disposition(way, attachment.file_name, attachment.attachment_id),
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
    }
