"""A client of the public API, for the demo, the end-to-end tests and the benchmarks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import aiohttp

REFUSED: Final = 300
_PAUSE_S: Final = 0.05


class RequestRefused(Exception):
    """The API answered with a problem."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title')}: {problem.get('detail', '')}")
        self.status = status
        self.problem = problem


class NeverCame(Exception):
    """What was waited for did not happen in its time."""


class ApiClient:
    """One member's calls. Use as an async context manager."""

    def __init__(self, base_url: str, token: str = "") -> None:
        self._base_url = base_url
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is not open")
        return self._session

    async def sign_in(self, email: str, password: str) -> dict[str, Any]:
        signed_in: dict[str, Any] = await self.post("/v1/sign-in", email=email, password=password)
        self._token = signed_in["token"]
        return signed_in

    async def sign_in_first(self, email: str, password: str, chosen: str) -> dict[str, Any]:
        """With the temporary password that somebody gave, which ``chosen`` takes the place of."""
        signed_in = await self.sign_in(email, password)
        await self.post("/v1/me/password", current_password=password, new_password=chosen)
        return signed_in

    async def get(self, path: str, **query: str) -> Any:
        return await self.call("GET", path, query=query)

    async def post(self, path: str, **body: Any) -> Any:
        return await self.call("POST", path, body=body)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The answer's JSON, None where it has none.

        Errors: RequestRefused, aiohttp.ClientError.
        """
        sent = dict(headers or {})
        if self._token:
            sent["authorization"] = f"Bearer {self._token}"
        async with self.session.request(
            method, self._base_url + path, params=query, json=body, headers=sent
        ) as answer:
            text = await answer.read()
            decoded = json.loads(text) if text else None
            if answer.status >= REFUSED:
                raise RequestRefused(answer.status, decoded or {})
            return decoded

    @asynccontextmanager
    async def live(self, cursor: str | None = None) -> AsyncIterator["LiveFrames"]:
        """The live updates, from now or from ``cursor`` on."""
        url = self._base_url.replace("http", "ws", 1) + "/v1/live"
        async with self.session.ws_connect(url) as socket:
            await socket.send_json({"token": self._token, "cursor": cursor})
            yield LiveFrames(socket)


class LiveFrames:
    """The frames of one socket, in order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def next(self, timeout_seconds: float = 20) -> dict[str, Any]:
        frame: dict[str, Any] = await self._socket.receive_json(timeout=timeout_seconds)
        return frame

    async def until(self, kind: str, timeout_seconds: float = 20) -> dict[str, Any]:
        """The next frame of type ``kind``, or event of that name; others are passed over."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                frame = await self.next(timeout_seconds)
                if kind in (frame["type"], frame.get("event")):
                    return frame


async def eventually[T](
    what: str, ask: Callable[[], Awaitable[T | None]], timeout_seconds: float = 20
) -> T:
    """The first answer that is true. Errors: NeverCame, naming ``what``."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        answer = await ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise NeverCame(f"{what} did not come within {timeout_seconds:g} s")
        await asyncio.sleep(_PAUSE_S)
