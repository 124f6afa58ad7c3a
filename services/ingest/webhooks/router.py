"""Webhooks before the web framework: its router and layers cost as much as taking a message in.

A small ASGI application that answers the platforms' deliveries itself, measured and with problems
like every other route, and passes everything else on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.events.content import Channel
from libs.runtime.http import Measured
from libs.runtime.problems import Problem, problem_response
from services.ingest.ports.webhooks import Delivery

log = structlog.get_logger()

_PREFIX: Final = "/hooks/"


class Hook(Protocol):
    async def deliver(self, delivery: Delivery) -> Response:
        """The answer to a POST. Errors: any Problem."""

    async def handshake(self, delivery: Delivery) -> Response | None:
        """The answer to a GET; None where there is none. Errors: any Problem."""


@dataclass(frozen=True, slots=True)
class _Route:
    """``path`` is the template, as ``Measured`` reads it of a route."""

    path: str
    hook: Hook


class Hooks:
    """``/hooks/{channel}/{source_id}`` of the channels in ``hooks``; ``app`` has the rest."""

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
    route: _Route = scope["route"]
    delivery = Delivery(scope["path_params"]["source_id"], scope, receive)
    response: Response | None = None
    try:
        if scope["method"] == "POST":
            return await route.hook.deliver(delivery)
        if scope["method"] == "GET":
            response = await route.hook.handshake(delivery)
    except Problem as problem:
        return problem.response()
    except Exception as error:  # a bug: the platform hears of it and repeats
        log.error("request failed", path=scope["path"], exc_info=error)
        return Problem().response()
    if response is None:
        response = problem_response(405, "method-not-allowed", "Method Not Allowed", "")
        response.headers["allow"] = "POST"
    return response
