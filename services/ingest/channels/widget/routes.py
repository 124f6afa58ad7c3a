"""The widget's public face: its script, a visitor's session, messages in, history, live answers."""

import math
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import aiohttp
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from libs.events.api import CustomerTimeline
from libs.events.api.values import Line, Text
from libs.events.content import Channel, Content, Sender
from libs.events.credentials import WidgetCredentials
from libs.events.ids import IdKey, random_id
from libs.events.inbound import InboundReceived
from libs.runtime.bodies import BodyReader, check_query
from libs.runtime.http import client_of, json_response, read_limited
from libs.runtime.limiter import Limiters
from libs.runtime.problems import BadRequest, Forbidden, Invalid, TooLarge, TooMany, Unavailable
from libs.runtime.storage import StorageAway
from services.ingest.channels.widget.access import (
    Endpoint,
    WidgetSource,
    cross_origin_route,
    visitor_of,
)
from services.ingest.channels.widget.dependencies import WidgetDependencies, WidgetLimits
from services.ingest.channels.widget.files import FileHandles, FileRequest, available, download
from services.ingest.channels.widget.live import live_route
from services.ingest.channels.widget.script import script_route
from services.ingest.channels.widget.visitors import InvalidVisitorToken, Visitor, is_vouched_for
from services.ingest.sources import OpenSource, SourceBook

__all__ = ["WidgetDependencies", "WidgetLimits", "widget_routes"]

BODY_MAX_BYTES: Final = 64 * 1024
TEXT_MAX_CHARACTERS: Final = 4_000
PAGE_SIZE: Final = 100
_POSITION_MAX_DIGITS: Final = 15
_LONGEST_WAIT_SECONDS: Final = 3600.0

Label = Annotated[Line, msgspec.Meta(max_length=200)]


class Identity(msgspec.Struct, frozen=True):
    """A user whom the site itself has signed in: its backend made ``hash`` of ``user_id``."""

    user_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    hash: Annotated[str, msgspec.Meta(max_length=200)]
    name: Label = ""


class SessionRequest(msgspec.Struct, frozen=True):
    token: str | None = None
    name: Label | None = None
    email: Label | None = None
    language: Annotated[str, msgspec.Meta(max_length=35)] | None = None
    identity: Identity | None = None


class MessageRequest(msgspec.Struct, frozen=True):
    """``message_id`` is made by the client and the same however often it tries."""

    message_id: UUID
    text: Annotated[Text, msgspec.Meta(min_length=1, max_length=TEXT_MAX_CHARACTERS)]


# A page may keep a newer script than we are, or an older one.
_SESSION: Final = BodyReader(SessionRequest, may_be_newer=True)
_MESSAGE: Final = BodyReader(MessageRequest, may_be_newer=True)
_FILE: Final = BodyReader(FileRequest, may_be_newer=True)


def widget_routes(deps: WidgetDependencies) -> list[BaseRoute]:
    """Plain Starlette routes for ``app.router.routes``.

    Put them before any ``/hooks/{channel}/{source_id}``: one of them is ``/hooks/widget/…``.
    """
    limits = deps.limits
    requests = Limiters(limits.of_an_address, limits.of_a_source)
    sessions = Limiters(limits.sessions)
    messages = Limiters(limits.messages, limits.messages_of_an_address, limits.messages_of_a_source)
    files = Limiters(limits.files)
    acceptor = deps.acceptor

    def limited(endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request, source: WidgetSource) -> Response:
            _check(requests, "requests", client_of(request), source.state.source_id)
            return await endpoint(request, source)

        return answer

    async def session(request: Request, source: WidgetSource) -> Response:
        _check(sessions, "sessions of this address", client_of(request))
        asked = await _body(request, _SESSION)
        visitor = _visitor(deps, source, asked)
        token, expires_at = deps.tokens.issue(visitor)
        return _fresh(
            {
                "token": token,
                "visitor_id": visitor.visitor_id,
                "expires_at": datetime.fromtimestamp(expires_at, UTC),
            }
        )

    async def receive(request: Request, source: WidgetSource) -> Response:
        visitor = visitor_of(request, deps.tokens, source)
        _check(messages, "messages", visitor.visitor_id, client_of(request), visitor.source_id)
        asked = await _body(request, _MESSAGE)
        if not asked.text:
            raise Invalid("text: is blank")
        received = _received(deps.id_key, visitor, asked, datetime.now(UTC))
        await acceptor.accept(source.workspace_id, [received])
        return json_response({"message_id": received.message_id}, 202)

    async def history(request: Request, source: WidgetSource) -> Response:
        visitor = visitor_of(request, deps.tokens, source)
        check_query(request, ("after",))
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= _POSITION_MAX_DIGITS):
            raise Invalid("after: must be a position")
        conversation_id = deps.id_key.conversation(visitor.source_id, visitor.visitor_id)
        try:
            status, body, _ = await deps.conversation.call(
                "GET",
                f"/internal/v1/customer-timeline/{conversation_id}",
                workspace_id=source.workspace_id,
                query={"after": after, "limit": str(PAGE_SIZE)},
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable("the history cannot be read") from error
        if status == 404:  # who has not written yet has no conversation
            return _fresh(CustomerTimeline(items=()))
        if status != 200:
            raise Unavailable(f"the history cannot be read: {status}")
        timeline = msgspec.json.decode(body, type=CustomerTimeline)
        return _fresh(_shown(timeline, deps.files, conversation_id))

    async def link(request: Request, source: WidgetSource) -> Response:
        visitor = visitor_of(request, deps.tokens, source)
        _check(files, "files", visitor.visitor_id)
        asked = await _body(request, _FILE)
        conversation_id = deps.id_key.conversation(visitor.source_id, visitor.visitor_id)
        token = deps.files.link(visitor.source_id, conversation_id, asked)
        try:
            await available(deps.store, source.workspace_id, asked.attachment_id)
        except StorageAway as error:
            raise Unavailable("the storage does not answer") from error
        return _fresh({"url": f"/widget/{visitor.source_id}/files/{token}"})

    async def file(request: Request, source: WidgetSource) -> Response:
        attachment_id = deps.files.opened(request.path_params["link"], source.state.source_id)
        try:
            return await download(deps.store, source.workspace_id, attachment_id)
        except StorageAway as error:
            raise Unavailable("the storage does not answer") from error

    return [
        script_route(),
        cross_origin_route(
            "/widget/{source_id}/session",
            deps.directory,
            limited(session),
            method="POST",
            origin_required=True,
        ),
        cross_origin_route(
            "/hooks/widget/{source_id}",
            deps.directory,
            limited(receive),
            method="POST",
            origin_required=False,
        ),
        cross_origin_route(
            "/widget/{source_id}/messages",
            deps.directory,
            limited(history),
            method="GET",
            origin_required=False,
        ),
        cross_origin_route(
            "/widget/{source_id}/files",
            deps.directory,
            limited(link),
            method="POST",
            origin_required=False,
        ),
        cross_origin_route(
            "/widget/{source_id}/files/{link}",
            deps.directory,
            limited(file),
            method="GET",
            origin_required=False,
        ),
        live_route(deps),
    ]


def _check(limiters: Limiters, what: str, *keys: str) -> None:
    """Errors: TooMany."""
    wait = limiters.wait_seconds(*keys)
    if wait:
        seconds = math.ceil(min(wait, _LONGEST_WAIT_SECONDS))
        raise TooMany(f"too many {what} at once", retry_after=seconds)


async def _body[T](request: Request, reader: BodyReader[T]) -> T:
    """Errors: TooLarge, Invalid (it names the field, never what was in it)."""
    body = await read_limited(request, BODY_MAX_BYTES)
    if body is None:
        raise TooLarge(f"at most {BODY_MAX_BYTES} bytes")
    try:
        return reader.decode(body or b"{}")
    except BadRequest as error:
        raise Invalid(error.detail) from error


def _visitor(deps: WidgetDependencies, source: WidgetSource, asked: SessionRequest) -> Visitor:
    """Who the session is for. Errors: Forbidden where the site's word does not hold.

    A token that is too old or not ours begins a new visitor: the page cannot do better.
    """
    source_id = source.state.source_id
    known: Visitor | None = None
    if asked.token is not None:
        try:
            known = deps.tokens.verify(asked.token, source_id)
        except InvalidVisitorToken:
            known = None
    name = asked.name
    if asked.identity is not None:
        secret = _identity_secret(deps.sources, source)
        if not secret or not is_vouched_for(secret, asked.identity.user_id, asked.identity.hash):
            raise Forbidden("the user's identity is not vouched for")
        # Derived, so that the history follows the user from one device to the next.
        visitor_id = deps.id_key.derive("vis", source_id, asked.identity.user_id)
        name = asked.identity.name or name
        known = known if known and known.visitor_id == visitor_id else None
    else:
        visitor_id = known.visitor_id if known else random_id("vis")
    before = known or Visitor(source_id, visitor_id)
    return Visitor(
        source_id=source_id,
        visitor_id=visitor_id,
        name=before.name if name is None else name.strip(),
        email=before.email if asked.email is None else asked.email.strip(),
        language=before.language if asked.language is None else asked.language,
    )


def _identity_secret(sources: SourceBook, source: WidgetSource) -> str | None:
    """Errors: Unavailable, NotFound."""
    opened: OpenSource[WidgetCredentials] = sources.get(source.state.source_id, Channel.WIDGET)
    return opened.credentials.identity_secret


def _received(
    id_key: IdKey, visitor: Visitor, asked: MessageRequest, now: datetime
) -> InboundReceived:
    """The time is ours: a visitor's clock proves nothing.

    ``username`` is the e-mail address that the page gave, if it did.
    """
    source_id, thread = visitor.source_id, visitor.visitor_id
    client_id = str(asked.message_id)
    return InboundReceived(
        cause=id_key.derive("cau", source_id, "message", thread, client_id),
        kind="message",
        direction="incoming",
        channel=Channel.WIDGET,
        source_id=source_id,
        conversation_id=id_key.conversation(source_id, thread),
        thread=thread,
        customer_id=id_key.customer(source_id, thread),
        sender=Sender(
            external_id=thread,
            name=visitor.name,
            username=visitor.email or None,
            language=visitor.language or None,
        ),
        message_id=id_key.message(source_id, thread, client_id),
        external_message_id=client_id,
        content=Content(text=asked.text),
        occurred_at=now,
        received_at=now,
    )


def _shown(
    timeline: CustomerTimeline, files: FileHandles, conversation_id: str
) -> CustomerTimeline:
    return msgspec.structs.replace(
        timeline,
        items=tuple(
            msgspec.structs.replace(item, content=files.shown(item.content, conversation_id))
            for item in timeline.items
        ),
    )


def _fresh(body: object) -> Response:
    response = json_response(body)
    response.headers["cache-control"] = "no-store"
    return response
