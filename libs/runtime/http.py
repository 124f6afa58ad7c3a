"""The HTTP side of every process: health, metrics, verified callers, and calls to the others."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Final, Self

import aiohttp
import msgspec
import structlog
from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.eventstore.errors import CommitUnreadable, StreamBroken, StreamSetAside
from libs.runtime.asyncapi import MEDIA_TYPE as ASYNCAPI_TYPE
from libs.runtime.asyncapi import of_service
from libs.runtime.away import SERVER_AWAY
from libs.runtime.headers import ascii_of
from libs.runtime.language import HEADER as ACCEPT_LANGUAGE
from libs.runtime.language import listen
from libs.runtime.limiter import address_key
from libs.runtime.metrics import HTTP_REQUESTS, HTTP_SECONDS
from libs.runtime.problems import (
    NotFound,
    SetAside,
    Unavailable,
    install_problem_handlers,
)
from libs.runtime.process import Check, Runtime
from libs.runtime.tokens import ServiceTokens
from libs.runtime.tracing import span, trace_headers

log = structlog.get_logger()

CHECK_TIMEOUT_SECONDS: Final = 5.0
CALL_TIMEOUT_SECONDS: Final = 15.0
# Of what is set aside, in one place, ``/readyz`` names so much; the gauges count all of it.
TOLD_AT_MOST: Final = 20

UNMATCHED: Final = "unmatched"
_TRACE: Final = frozenset({b"traceparent", b"tracestate"})
_LANGUAGE: Final = frozenset({ACCEPT_LANGUAGE.encode()})
_STREAM: Final = (b"content-type", b"text/event-stream; charset=utf-8")


def service_app(runtime: Runtime, title: str, *, documented: bool = False) -> FastAPI:
    """A FastAPI application with ``/healthz``, ``/readyz``, ``/metrics``, ``/asyncapi.yaml`` and
    problems.

    Where anybody reaches it, these tell nothing but whether it is ready (``is_operators``).

    ``documented``: serve OpenAPI too (only the gateway's is public).
    """
    app = FastAPI(
        title=title,
        openapi_url="/openapi.json" if documented else None,
        docs_url=None,
        redoc_url=None,
        # A redirect would lead to whatever host the request names.
        redirect_slashes=False,
    )
    install_problem_handlers(app)
    for error in SERVER_AWAY:
        app.add_exception_handler(error, _server_away)
    for broken in (StreamSetAside, CommitUnreadable, StreamBroken):
        app.add_exception_handler(broken, set_aside)
    app.add_middleware(Measured)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(request: Request) -> Response:
        states = dict(
            zip(
                runtime.checks,
                await asyncio.gather(*(_state(c) for c in runtime.checks.values())),
                strict=True,
            )
        )
        ready = all(state == "ok" for state in states.values())
        body: dict[str, object] = {"ready": ready}
        if runtime.is_operators(request.scope):
            body["checks"] = states
            if troubles := {name: told for name, of in runtime.set_aside.items() if (told := of())}:
                body["set_aside"] = {
                    name: dict(islice(told.items(), TOLD_AT_MOST))
                    for name, told in troubles.items()
                }
        return json_response(body, 200 if ready else 503)

    async def metrics(request: Request) -> Response:
        if not runtime.is_operators(request.scope):
            raise NotFound
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def asyncapi(request: Request) -> Response:
        if not runtime.is_operators(request.scope):
            raise NotFound
        described = await asyncio.to_thread(of_service, runtime.service, runtime.streams)
        return Response(described, media_type=ASYNCAPI_TYPE)

    operations = {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": metrics,
        "/asyncapi.yaml": asyncapi,
    }
    for path, endpoint in operations.items():
        app.add_route(path, endpoint, include_in_schema=False)
    return app


async def _server_away(request: Request, error: Exception) -> Response:
    log.warning("a server does not answer", path=request.url.path, error=type(error).__name__)
    return Unavailable().response()


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await check()
    except Exception as error:  # whatever a server's driver raises is a reason not to be ready
        return f"{type(error).__name__}: {error}"
    return "ok"


async def set_aside(request: Request, error: Exception) -> Response:
    """The answer where what is asked for is one stream's trouble."""
    log.critical("asked for what is set aside", path=request.url.path, exc_info=error)
    return SetAside().response()


def json_response(body: object, status: int = 200) -> Response:
    """Of msgspec structs and plain values, encoded in one go."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def client_of(connection: HTTPConnection) -> str:
    """The client's address, of which a trusted proxy may have told; one for an IPv6 /64."""
    return address_key(connection.client.host if connection.client else "")


class Measured:
    """Counts and times requests by route, continues the caller's trace, speaks their language."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._templates: dict[Any, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, ended = 500, 0.0

        async def watched(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = message["status"]
                if _STREAM in message["headers"]:
                    # It has answered; how long the client listens says nothing of how fast it is.
                    ended = time.perf_counter()
            await send(message)

        started = time.perf_counter()
        carrier = ascii_of(scope["headers"], _TRACE)
        listen(ascii_of(scope["headers"], _LANGUAGE).get(ACCEPT_LANGUAGE, ""))
        try:
            with span(f"{scope['method']} {scope['path']}", carrier):
                await self._app(scope, receive, watched)
        finally:
            # The route's template, never the path: ids would make a time series each.
            route = self._template(scope)
            HTTP_REQUESTS.labels(scope["method"], route, status).inc()
            HTTP_SECONDS.labels(route).observe((ended or time.perf_counter()) - started)

    def _template(self, scope: Scope) -> str:
        if (route := scope.get("route")) is not None:
            return str(route.path)
        # FastAPI's router says of a plain route only which endpoint it has.
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return UNMATCHED
        if endpoint not in self._templates:
            same = (
                one for one in scope["app"].routes if getattr(one, "endpoint", None) is endpoint
            )
            self._templates[endpoint] = getattr(next(same, None), "path", UNMATCHED)
        return self._templates[endpoint]


class ServiceClient:
    """Calls one other service over HTTP with a signed token. Use as an async context manager."""

    def __init__(self, service: str, base_url: str, tokens: ServiceTokens) -> None:
        self._service = service
        self._base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_SECONDS),
            connector=aiohttp.TCPConnector(limit=256),
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        workspace_id: str,
        member_id: str = "",
        actions: Iterable[str] = (),
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body, headers. Errors: aiohttp.ClientError, TimeoutError."""
        async with self.open(
            method,
            path,
            workspace_id=workspace_id,
            member_id=member_id,
            actions=actions,
            query=query,
            body=body,
            headers=headers,
        ) as answer:
            return answer.status, await answer.read(), answer.headers

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        workspace_id: str,
        member_id: str = "",
        actions: Iterable[str] = (),
        query: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer while it comes in, for files too large to hold. Errors: as of ``call``."""
        if self._session is None:
            raise RuntimeError("the client is not open")
        token = self._tokens.issue(self._service, workspace_id, member_id, actions)
        sent = {"authorization": f"Bearer {token}", **trace_headers(), **(headers or {})}
        if body is not None:
            sent.setdefault("content-type", "application/json")
        async with self._session.request(
            method,
            self._base_url + path,
            params=query,
            data=body,
            headers=sent,
            timeout=timeout or self._session.timeout,
        ) as answer:
            yield answer


async def read_limited(request: Request, limit_bytes: int) -> bytes | None:
    """The body, or None as soon as it is known to be over the limit."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
