"""The services behind the gateway: called on behalf of a member, their answers passed on."""

import re
import time
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Final

import aiohttp
import structlog
from cachetools import TTLCache
from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from libs.runtime.http import ServiceClient
from libs.runtime.language import HEADER as ACCEPT_LANGUAGE
from libs.runtime.language import spoken
from libs.runtime.problems import NotFound, Unavailable
from libs.runtime.tokens import ServiceTokens, VerifyingKeys
from services.gateway.access import Actor
from services.gateway.localization import TEXTS
from services.gateway.metrics import UPSTREAM_FAILURES

log = structlog.get_logger()

# A token lives for a minute; one that is reused has always half of it left.
_REUSED_SECONDS: Final = 30.0
_KEPT_AT_MOST: Final = 20_000
_UNAUTHORIZED: Final = 401
_PASSED_ON: Final = ("content-type", "retry-after", "content-disposition", "etag", "cache-control")
_CHUNK_BYTES: Final = 64 * 1024
# A file may take long; only silence counts.
_FILE_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class ReusedTokens(ServiceTokens):
    """Service tokens that are signed once for many calls; they live twice as long as their reuse.

    What a token carries is part of what it is found by, so a changed role gets a new one at once.
    """

    def __init__(
        self,
        service: str,
        signing_key: bytes,
        verifying_keys: VerifyingKeys | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(service, signing_key, verifying_keys)
        self._issued: TTLCache[tuple[str, str, str, frozenset[str]], str]
        self._issued = TTLCache(_KEPT_AT_MOST, _REUSED_SECONDS, clock)

    def issue(
        self, audience: str, workspace_id: str, member_id: str = "", actions: Iterable[str] = ()
    ) -> str:
        carried = frozenset(actions)
        key = (audience, workspace_id, member_id, carried)
        issued: str | None = self._issued.get(key)
        if issued is None:
            issued = super().issue(audience, workspace_id, member_id, carried)
            self._issued[key] = issued
        return issued


class Upstream:
    """One service behind the gateway."""

    def __init__(self, service: str, client: ServiceClient) -> None:
        self.service = service
        self._client = client

    async def call(
        self,
        method: str,
        path: str,
        *,
        actor: Actor | None = None,
        workspace_id: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body, headers; on behalf of ``actor`` or of the gateway itself.

        Errors: Unavailable (the service does not answer).
        """
        try:
            status, answer, sent = await self._client.call(
                method,
                path,
                workspace_id=actor.workspace_id if actor else workspace_id,
                member_id=actor.member_id if actor else "",
                actions=actor.actions if actor else (),
                body=body,
                headers={ACCEPT_LANGUAGE: spoken(), **(headers or {})},
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._does_not_answer(error) from error
        self._check_trust(status)
        return status, answer, sent

    async def pass_on(
        self, request: Request, actor: Actor, path: str, body: bytes | None = None
    ) -> Response:
        """The service's answer to the same method at ``path``, byte for byte."""
        if request.url.query:
            path = f"{path}?{request.url.query}"
        key = request.headers.get("idempotency-key")
        status, answer, headers = await self.call(
            request.method,
            path,
            actor=actor,
            body=body,
            headers={"idempotency-key": key} if key is not None else None,
        )
        return passed_on(status, answer, headers)

    async def upload(
        self, path: str, actor: Actor, file: AsyncIterable[bytes], media_type: str
    ) -> Response:
        """Errors: Unavailable."""
        try:
            async with self._client.open(
                "POST",
                path,
                workspace_id=actor.workspace_id,
                member_id=actor.member_id,
                actions=actor.actions,
                body=file,
                headers={"content-type": media_type, ACCEPT_LANGUAGE: spoken()},
                timeout=_FILE_TIMEOUT,
            ) as answer:
                self._check_trust(answer.status)
                return passed_on(answer.status, await answer.read(), answer.headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._does_not_answer(error) from error

    async def download(self, path: str, actor: Actor) -> Response:
        """The file as it comes in. Errors: Unavailable, until its first byte."""
        opening = AsyncExitStack()
        try:
            answer = await opening.enter_async_context(
                self._client.open(
                    "GET",
                    path,
                    workspace_id=actor.workspace_id,
                    member_id=actor.member_id,
                    actions=actor.actions,
                    headers={ACCEPT_LANGUAGE: spoken()},
                    timeout=_FILE_TIMEOUT,
                )
            )
            self._check_trust(answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._does_not_answer(error) from error
        except Unavailable:
            await opening.aclose()
            raise
        headers = _headers(answer.headers)
        if (length := answer.headers.get("content-length")) is not None:
            headers["content-length"] = length
        return _File(answer.content.iter_chunked(_CHUNK_BYTES), answer.status, headers, opening)

    def _check_trust(self, status: int) -> None:
        if status == _UNAUTHORIZED:
            # Not the member's token but ours was refused: keys or clocks differ.
            UPSTREAM_FAILURES.labels(self.service).inc()
            log.error("the service token was refused", by=self.service)
            raise self._unavailable()

    def _does_not_answer(self, error: Exception) -> Unavailable:
        UPSTREAM_FAILURES.labels(self.service).inc()
        log.warning("no answer", by=self.service, error=type(error).__name__)
        return self._unavailable()

    def _unavailable(self) -> Unavailable:
        told = TEXTS.say("unavailable.part", {"part": self.service})
        return Unavailable(told, part=self.service)


class _File(StreamingResponse):
    """Lets go of the upstream's answer also when the client leaves before its first byte."""

    def __init__(
        self,
        chunks: AsyncIterable[bytes],
        status: int,
        headers: Mapping[str, str],
        opening: AsyncExitStack,
    ) -> None:
        super().__init__(chunks, status, headers)
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opening:
            await super().__call__(scope, receive, send)


def passed_on(status: int, body: bytes, headers: Mapping[str, str]) -> Response:
    return Response(body, status, _headers(headers))


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _PASSED_ON if name in headers}


def path_id(request: Request, name: str = "id") -> str:
    """An id out of the path, safe to put into another. Errors: NotFound."""
    value: str = request.path_params[name]
    if _ID.fullmatch(value) is None:
        raise NotFound
    return value
