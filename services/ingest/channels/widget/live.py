"""``WS /widget/{source_id}/live``: what happens in the visitor's conversation, as it happens."""

import asyncio
from enum import IntEnum
from typing import Final

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from libs.events.registry import UNREADABLE
from libs.runtime.http import client_of
from libs.runtime.limiter import Places
from libs.runtime.problems import Problem
from services.ingest.channels.widget.access import widget_source
from services.ingest.channels.widget.dependencies import WidgetDependencies
from services.ingest.channels.widget.hub import FellBehind, Subscription
from services.ingest.channels.widget.metrics import WIDGET_SOCKETS, WIDGET_SOCKETS_BEHIND
from services.ingest.channels.widget.visitors import InvalidVisitorToken

HELLO_TIMEOUT_SECONDS: Final = 10
HELLO_MAX_CHARACTERS: Final = 8_192


class CloseCode(IntEnum):
    """After each the client connects again and reads the history; ``UNAUTHORIZED`` also renews."""

    UNAUTHORIZED = 4401
    NO_HELLO = 4408
    FELL_BEHIND = 4409
    TOO_MANY = 4429


class Hello(msgspec.Struct, frozen=True):
    """The first frame. The token is in it, and not in the address, which proxies write down."""

    token: str


READY: Final = '{"type":"ready"}'


def live_route(deps: WidgetDependencies) -> WebSocketRoute:
    addresses = Places(deps.limits.sockets_of_an_address)

    async def live(websocket: WebSocket) -> None:
        try:
            source = widget_source(deps.directory, websocket.path_params["source_id"])
            source.admit(websocket.headers.get("origin"), required=True)
            await deps.hub.check()
        except Problem:
            await websocket.close()  # before it is accepted: HTTP 403
            return
        await websocket.accept()
        with addresses.taken(client_of(websocket)) as there_is_place:
            code: int | None = CloseCode.TOO_MANY
            if there_is_place:
                code = await _serve(deps, websocket, source.state.source_id)
        if code is not None:
            await websocket.close(code)

    return WebSocketRoute("/widget/{source_id}/live", live)


async def _serve(deps: WidgetDependencies, websocket: WebSocket, source_id: str) -> int | None:
    """How to close the socket; None where the client has closed it."""
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_SECONDS):
            first = await websocket.receive()
    except TimeoutError:
        return CloseCode.NO_HELLO
    if first["type"] == "websocket.disconnect":
        return None
    text = first.get("text") or ""
    if len(text) > HELLO_MAX_CHARACTERS:
        return CloseCode.NO_HELLO
    try:
        hello = msgspec.json.decode(text, type=Hello)
        visitor = deps.tokens.verify(hello.token, source_id)
    except UNREADABLE:
        return CloseCode.NO_HELLO
    except InvalidVisitorToken:
        return CloseCode.UNAUTHORIZED
    conversation_id = deps.id_key.conversation(source_id, visitor.visitor_id)
    if deps.hub.sockets_of(conversation_id) >= deps.limits.sockets:
        return CloseCode.TOO_MANY
    with (
        deps.hub.subscribed(conversation_id, deps.limits.waiting_events) as subscription,
        WIDGET_SOCKETS.track_inprogress(),
    ):
        return await _push(websocket, subscription)


async def _push(websocket: WebSocket, subscription: Subscription) -> int | None:
    reading = asyncio.create_task(_until_closed(websocket))
    writing = asyncio.create_task(_write(websocket, subscription))
    done, pending = await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    if reading in done:
        return None
    try:
        writing.result()
    except FellBehind:
        WIDGET_SOCKETS_BEHIND.inc()
        return CloseCode.FELL_BEHIND
    except WebSocketDisconnect:
        return None
    return None


async def _until_closed(websocket: WebSocket) -> None:
    """Whatever else the client says has no meaning and is let go."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _write(websocket: WebSocket, subscription: Subscription) -> None:
    """Errors: FellBehind, WebSocketDisconnect."""
    await websocket.send_text(READY)
    while True:
        frame = await subscription.next()
        await websocket.send_text(msgspec.json.encode(frame).decode())
