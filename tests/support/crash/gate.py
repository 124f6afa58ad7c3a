"""A gate between ingest and the Bot API: it holds a call before or after the platform has taken it.

So a test can stop ingest between the attempt recorded and the platform called, or between the
platform's taking and the result published, without a hook inside ingest.
"""

import asyncio
from typing import Literal, Self

import aiohttp
from aiohttp import web

Where = Literal["before", "after"]


class Gate:
    """Passes everything on to ``target``. Use as an async context manager; then ``url`` is set."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._hold: Where | None = None
        self.holding = asyncio.Event()
        self.url = ""

    def hold_next_send(self, where: Where) -> None:
        """The next ``sendMessage`` is never answered: ``before`` it reaches the platform, or
        ``after`` the platform took it. ``holding`` is set when it is there.
        """
        self._hold = where
        self.holding.clear()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=1
        )
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

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        body = await request.read()
        held: Where | None = None
        if request.path.endswith("/sendMessage"):
            held, self._hold = self._hold, None
        if held == "before":
            await self._for_ever()
        async with self._session.request(
            request.method,
            self._target + request.path_qs,
            data=body,
            headers={"content-type": request.headers.get("content-type", "")},
        ) as answer:
            content = await answer.read()
        if held == "after":
            await self._for_ever()
        return web.Response(body=content, status=answer.status, content_type=answer.content_type)

    async def _for_ever(self) -> None:
        """Until the caller is gone: aiohttp cancels the handler, or the gate is closed."""
        self.holding.set()
        await asyncio.sleep(3600)
