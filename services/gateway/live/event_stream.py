"""``GET /v1/live``: the same frames as server-sent events, for clients without a WebSocket.

Each event's name is its frame's type, its data the frame, and its id the cursor to go on from: a
client that comes again says it as ``Last-Event-ID``, as browsers' EventSource does by itself.
"""

from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from libs.runtime.problems import TooMany
from services.gateway.access import Access, Actor
from services.gateway.live.room import Room, until_first
from services.gateway.live.subscriber import Subscriber, Waiting

# nginx and those made after it hold answers back unless told.
_HEADERS: Final = {"x-accel-buffering": "no"}


class LiveEvents:
    """Opens streams of what the caller may see."""

    def __init__(self, access: Access, room: Room) -> None:
        self._access = access
        self._room = room

    async def open(self, request: Request) -> Response:
        """Errors: as of ``Access.actor``; 429 where the member or the address has too many."""
        actor = await self._access.actor(request)
        cursor = request.headers.get("last-event-id") or request.query_params.get("cursor")
        return _Events(self._room, actor, cursor)


class _Events(EventSourceResponse):
    def __init__(self, room: Room, actor: Actor, cursor: str | None) -> None:
        super().__init__((), headers=_HEADERS)
        self._room = room
        self._actor = actor
        self._cursor = cursor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = self._room.for_address(HTTPConnection(scope))
        with address as at_address, self._room.for_member(self._actor) as of_member:
            if not (at_address and of_member):
                await TooMany().response()(scope, receive, send)
                return
            async with self._room.shown(self._actor, self._cursor) as subscriber:
                await until_first(self._send(send, subscriber), _until_gone(receive))

    async def _send(self, send: Send, subscriber: Subscriber) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        async for waiting in subscriber.each():
            part = {"type": "http.response.body", "body": _event(waiting), "more_body": True}
            await send(part)
        await send({"type": "http.response.body", "body": b""})


def _event(waiting: Waiting) -> bytes:
    if waiting.kind == "ping":
        return KEEPALIVE_COMMENT
    return format_sse_event(data_str=waiting.text, event=waiting.kind, id=waiting.cursor)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
