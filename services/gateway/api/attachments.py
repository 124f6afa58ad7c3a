"""Files: through the gateway in pieces, never whole in its memory."""

import re
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api.attachments import AttachmentsInSight, FindAttachments
from libs.events.content import Attachment
from libs.runtime.problems import BadRequest, TooLarge, Unavailable
from services.gateway.access import Access, Actor
from services.gateway.api.passing import ANSWERED, REFUSED, PassedOn
from services.gateway.api.routes import Routes
from services.gateway.localization import TEXTS
from services.gateway.upstream import Upstream, passed_on, path_id

_ID: Final = re.compile(r"att_[0-9a-f]{30}")
_FILE: Final[dict[str, Any]] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


def add_attachment_routes(
    routes: Routes, access: Access, conversation: Upstream, ingest: Upstream, max_bytes: int
) -> None:
    path = "/v1/attachments"

    async def upload(request: Request) -> Response:
        actor = (await access.actor(request)).must(Action.ANSWER)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and len(declared) < 20 and int(declared) > max_bytes:
            raise _too_large(max_bytes)
        file = LimitedFile(request.stream(), max_bytes)
        name = request.query_params.get("file_name")
        try:
            return await ingest.upload(
                path + (f"?file_name={quote(name, safe='')}" if name else ""),
                actor,
                file,
                request.headers.get("content-type", "application/octet-stream"),
            )
        except Unavailable:
            if file.is_over:
                raise _too_large(max_bytes) from None
            if file.broke_off:
                raise BadRequest(TEXTS.say("bad-request.broken-off")) from None
            raise

    async def download(request: Request) -> Response:
        actor = (await access.actor(request)).must(Action.READ)
        attachment_id = path_id(request)
        sight = await in_sight(conversation, actor, (attachment_id,))
        shown = "own"
        if sight.visible or sight.hidden:
            shown = "all" if sight.visible else "no"
        return await ingest.download(f"{path}/{attachment_id}?shown={shown}", actor)

    file_name = {
        "name": "file_name",
        "in": "query",
        "description": "What the file is called.",
        "schema": {"type": "string", "maxLength": 255},
    }
    routes.add(
        "POST", path, upload,
        name="uploadAttachment", summary="Give a file that a message is to carry",
        status=201, body=_FILE, answer=Attachment, query=(file_name,), once=False,
        problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", path + "/{id}", download,
        name="getAttachment", summary="The bytes of a file",
        description="Of a message in a conversation that I may see, or one that I gave myself and "
        "that is in no message yet.",
        answer=_FILE, problems=ANSWERED,
    )  # fmt: skip


async def in_sight(
    conversation: Upstream, actor: Actor, ids: tuple[str, ...]
) -> AttachmentsInSight:
    """Which of the files are in conversations that the actor sees. Errors: Unavailable, what
    conversation refuses."""
    asked = tuple(one for one in ids if _ID.fullmatch(one))
    if not asked:
        return AttachmentsInSight()
    status, body, headers = await conversation.call(
        "POST",
        "/internal/v1/attachments",
        actor=actor,
        body=msgspec.json.encode(FindAttachments(ids=asked)),
    )
    if status >= REFUSED:
        raise PassedOn(passed_on(status, body, headers))
    return msgspec.json.decode(body, type=AttachmentsInSight)


class LimitedFile:
    """The chunks of a file; it breaks off where there are more bytes than allowed."""

    def __init__(self, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._left = max_bytes
        self.is_over = False
        self.broke_off = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                self._left -= len(chunk)
                if self._left < 0:
                    self.is_over = True
                    raise ValueError("the file is over the limit")
                if chunk:
                    yield chunk
        except ClientDisconnect:
            self.broke_off = True
            raise


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(TEXTS.say("too-large.file", {"megabytes": f"{max_bytes / 2**20:g}"}))
