"""Webhooks before the web framework: its router and layers cost as much as taking a message in.

A small ASGI application that answers the platforms' deliveries itself, measured and with problems
like every other route, and passes everything else on.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.events.content import Channel
from libs.runtime.http import Measured
from libs.runtime.problems import BadRequest, Problem, TooLarge, problem_response

log = structlog.get_logger()

_PREFIX: Final = "/hooks/"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a platform posts to a source's webhook. The body is read when it is asked for."""

    source_id: str
    scope: Scope
    receive: Receive

    def header(self, name: bytes) -> bytes | None:
        """``name`` in lower case. Of several, the first."""
        return next((value for given, value in self.scope["headers"] if given == name), None)

    async def body(self, limit_bytes: int) -> bytes:
        """Errors: TooLarge, as soon as it is known; BadRequest, where the sender has gone."""
        too_large = TooLarge(f"at most {limit_bytes} bytes are taken")
        declared = self.header(b"content-length") or b""
        if declared.isdigit() and int(declared) > limit_bytes:
            raise too_large
        body = bytearray()
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the body ends before its end")
            body += message.get("body", b"")
            if len(body) > limit_bytes:
                raise too_large
            more = message.get("more_body", False)
        return bytes(body)


Hook = Callable[[Delivery], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Route:
    """``path`` is the template, as ``Measured`` reads it of a route."""

    path: str
    hook: Hook


class Hooks:
    """``POST /hooks/{channel}/{source_id}`` of the channels in ``hooks``; ``app`` has the rest."""

    def __init__(self, app: ASGIApp, hooks: Mapping[Channel, Hook]) -> None:
        self._app = app
        self._routes = {
            channel.value: _Route(f"{_PREFIX}{channel.value}/{{source_id}}", hook)
            for channel, hook in hooks.items()
        }
        self._measured = Measured(_answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_PREFIX):
            channel, _, source_id = scope["path"].removeprefix(_PREFIX).partition("/")
            route = self._routes.get(channel)
            if route is not None and source_id and "/" not in source_id:
                scope["route"], scope["path_params"] = route, {"source_id": source_id}
                await self._measured(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    response = await _response(scope, receive)
    await response(scope, receive, send)


async def _response(scope: Scope, receive: Receive) -> Response:
    if scope["method"] != "POST":
        response = problem_response(405, "method-not-allowed", "Method Not Allowed", "")
        response.headers["allow"] = "POST"
        return response
    route: _Route = scope["route"]
    try:
        return await route.hook(Delivery(scope["path_params"]["source_id"], scope, receive))
    except Problem as problem:
        return problem.response()
    except Exception as error:  # a bug: the platform hears of it and repeats
        log.error("request failed", path=scope["path"], exc_info=error)
        return Problem().response()
