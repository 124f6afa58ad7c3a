"""A double of the pigeon post: it keeps what is sent, and delivers to a webhook."""

import json
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.support.pigeon.hook import SIGNATURE, signature_of


def letter(number: int, name: str, text: str) -> dict[str, Any]:
    return {
        "id": f"let_{number}",
        "from": name.lower(),
        "name": name,
        "text": text,
        "at": datetime.now(UTC).isoformat(),
    }


class PigeonPost:
    """Use as an async context manager; then ``url`` is set."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.waiting: list[dict[str, Any]] = []
        # After which letter each look began.
        self.looks: list[int] = []
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/lofts/{loft}/letters", self._take)
        app.router.add_get("/lofts/{loft}/waiting", self._wait)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def deliver(self, url: str, secret: str, *letters: Any) -> tuple[int, str]:
        """One basket, signed; the webhook's answer."""
        raw = json.dumps({"letters": letters}).encode()
        headers = {SIGNATURE: signature_of(secret, raw)} if secret else {}
        async with self._open.post(url, data=raw, headers=headers) as answer:
            return answer.status, await answer.text()

    async def shake(self, url: str, token: str, challenge: str) -> tuple[int, str]:
        query = {"token": token, "challenge": challenge}
        async with self._open.get(url, params=query) as answer:
            return answer.status, await answer.text()

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the post is not open")
        return self._session

    async def _take(self, request: web.Request) -> web.Response:
        self.sent.append((request.match_info["loft"], await request.json()))
        return web.json_response({"id": f"out_{len(self.sent)}"})

    async def _wait(self, request: web.Request) -> web.Response:
        after = int(request.query["after"])
        self.looks.append(after)
        position = str(len(self.waiting))
        return web.json_response({"letters": self.waiting[after:], "position": position})
