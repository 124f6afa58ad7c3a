"""A workspace's CRM on this machine: answers as it is told, and verifies what it gets."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook, WebhookVerificationError

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass
class Posted:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """As a receiver finds out, by the library of Standard Webhooks and not by our code."""
        try:
            Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError:
            return False
        return True


@dataclass
class CrmServer:
    """``answers`` are given one after another, then 204. Behind ``slow_url`` nothing is answered
    before the server ends."""

    url: str = ""
    slow_url: str = ""
    slow_calls: int = 0
    answers: list[web.Response] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)


@asynccontextmanager
async def crm_server() -> AsyncIterator[CrmServer]:
    crm = CrmServer()

    async def hook(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        crm.posted.append(Posted(headers, await request.read()))
        return crm.answers.pop(0) if crm.answers else web.Response(status=204)

    ending = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        crm.slow_calls += 1
        await ending.wait()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", hook)
    app.router.add_post("/slow", slow)
    async with TestServer(app) as server:
        crm.url, crm.slow_url = str(server.make_url("/hook")), str(server.make_url("/slow"))
        yield crm
        ending.set()
