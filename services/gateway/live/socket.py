"""``WS /v1/live``: the first frame says who it is, and from where to go on."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from libs.events.registry import UNREADABLE
from libs.runtime.http import client_of
from libs.runtime.limiter import Places
from libs.runtime.problems import Problem, Unauthorized
from services.gateway.access import Access, Actor
from services.gateway.live.hub import Hub, Subscriber
from services.gateway.metrics import FRAMES, LIVE_SECONDS, SOCKETS

log = structlog.get_logger()

SIGN_IN_AGAIN: Final = 4401
BAD_FIRST_FRAME: Final = 4400
TRY_AGAIN: Final = 1013  # RFC 6455's registry: try again later
FIRST_FRAME_SECONDS: Final = 10.0
CATCH_UP_SECONDS: Final = 5.0
TOO_MANY: Final = 4429
# Tabs, telephones and integrations of one member.
SOCKETS_OF_A_MEMBER: Final = 30


class _Hello(msgspec.Struct):
    """``token`` may be missing where the ``Authorization`` header brings it."""

    token: str | None = None
    cursor: str | None = None


_read_hello = msgspec.json.Decoder(_Hello)


class Live:
    """``of_an_address``: as many sockets it may have open."""

    def __init__(self, hub: Hub, access: Access, of_an_address: int) -> None:
        self._hub = hub
        self._access = access
        self._addresses = Places(of_an_address)
        self._members = Places(SOCKETS_OF_A_MEMBER)

    async def serve(self, websocket: WebSocket) -> None:
        with self._addresses.taken(client_of(websocket)) as there_is_place:
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
        with self._members.taken(f"{actor.workspace_id} {actor.member_id}") as there_is_place:
            if there_is_place:
                await self._show(websocket, actor, hello.cursor)
            else:
                await websocket.close(TOO_MANY)

    async def _actor(self, websocket: WebSocket, hello: _Hello) -> Actor:
        if hello.token is None:
            return await self._access.actor(websocket.headers)
        return await self._access.actor_of(hello.token)

    async def _show(self, websocket: WebSocket, actor: Actor, cursor: str | None) -> None:
        since = None
        if cursor is not None:
            since = await self._hub.wait_for(actor.workspace_id, cursor, CATCH_UP_SECONDS)
        subscriber = self._hub.join(actor.principal, cursor, since)
        SOCKETS.inc()
        ends = (
            asyncio.create_task(_send(websocket, subscriber)),
            asyncio.create_task(_until_gone(websocket)),
        )
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            SOCKETS.dec()
            self._hub.leave(subscriber)
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)


async def _send(websocket: WebSocket, subscriber: Subscriber) -> None:
    try:
        while (waiting := await subscriber.next()) is not None:
            await websocket.send({"type": "websocket.send", "text": waiting.text})
            FRAMES.labels(waiting.kind).inc()
            if waiting.received_at is not None:
                LIVE_SECONDS.observe((datetime.now(UTC) - waiting.received_at).total_seconds())
        await websocket.close(SIGN_IN_AGAIN)
    except WebSocketDisconnect:
        return


async def _until_gone(websocket: WebSocket) -> None:
    """What a client says after its first frame has no meaning yet."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
