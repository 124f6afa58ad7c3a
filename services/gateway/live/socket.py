"""``WS /v1/live``: the first frame says who it is, and from where to go on."""

import asyncio
from typing import Final

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from libs.events.registry import UNREADABLE
from libs.runtime.http import client_of
from libs.runtime.problems import Problem, Unauthorized
from services.gateway.access import Access, Actor
from services.gateway.live.room import Room, until_first
from services.gateway.live.subscriber import End, Subscriber

log = structlog.get_logger()

SIGN_IN_AGAIN: Final = 4401
BAD_FIRST_FRAME: Final = 4400
# RFC 6455's registry of codes: service restart, try again later.
MOVE: Final = 1012
TRY_AGAIN: Final = 1013
FIRST_FRAME_SECONDS: Final = 10.0
TOO_MANY: Final = 4429
_CODES: Final = {End.SIGNED_OUT: SIGN_IN_AGAIN, End.MOVE: MOVE}


class _Hello(msgspec.Struct):
    """``token`` may be missing where the ``Authorization`` header brings it."""

    token: str | None = None
    cursor: str | None = None


_read_hello = msgspec.json.Decoder(_Hello)


class LiveSocket:
    """The WebSocket of ``/v1/live``."""

    def __init__(self, access: Access, room: Room) -> None:
        self._access = access
        self._room = room

    async def serve(self, websocket: WebSocket) -> None:
        with self._room.for_address(websocket) as there_is_place:
            await websocket.accept()
            if not there_is_place:
                await websocket.close(TOO_MANY)
                return
            await self._serve(websocket)

    async def _serve(self, websocket: WebSocket) -> None:
        try:
            async with asyncio.timeout(FIRST_FRAME_SECONDS):
                hello = _read_hello.decode(await websocket.receive_text())
            actor = await self._actor(websocket, hello)
        except WebSocketDisconnect:
            return
        except (TimeoutError, Unauthorized):
            await websocket.close(SIGN_IN_AGAIN)
            return
        except Problem as problem:
            await websocket.close(TRY_AGAIN, problem.title)
            return
        except (*UNREADABLE, KeyError):
            # KeyError: starlette's, where the frame is binary.
            await websocket.close(BAD_FIRST_FRAME)
            return
        with self._room.for_member(actor) as there_is_place:
            if there_is_place:
                await self._show(websocket, actor, hello.cursor)
            else:
                await websocket.close(TOO_MANY)

    async def _actor(self, websocket: WebSocket, hello: _Hello) -> Actor:
        if hello.token is None:
            return await self._access.actor(websocket)
        return await self._access.actor_of(hello.token, client_of(websocket))

    async def _show(self, websocket: WebSocket, actor: Actor, cursor: str | None) -> None:
        async with self._room.shown(actor, cursor) as subscriber:
            await until_first(_send(websocket, subscriber), _until_gone(websocket))


async def _send(websocket: WebSocket, subscriber: Subscriber) -> None:
    try:
        async for waiting in subscriber.each():
            await websocket.send({"type": "websocket.send", "text": waiting.text})
        await websocket.close(_CODES[subscriber.ended or End.MOVE])
    except WebSocketDisconnect:
        return


async def _until_gone(websocket: WebSocket) -> None:
    """What a client says after its first frame has no meaning yet."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
