"""How many live clients there may be at once, and how each is shown what it may see."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Final

from starlette.requests import HTTPConnection

from libs.runtime.http import client_of
from libs.runtime.limiter import Places
from services.gateway.access import Actor
from services.gateway.live.hub import Hub
from services.gateway.live.subscriber import Subscriber
from services.gateway.metrics import SOCKETS

# Tabs, telephones and integrations of one member.
OF_A_MEMBER: Final = 30
CATCH_UP_SECONDS: Final = 5.0


class Room:
    """``of_an_address``: as many clients as it may have at once, of all transports together."""

    def __init__(self, hub: Hub, of_an_address: int) -> None:
        self._hub = hub
        self._addresses = Places(of_an_address)
        self._members = Places(OF_A_MEMBER)

    def for_address(self, connection: HTTPConnection) -> AbstractContextManager[bool]:
        """Whether there is a place for one more of the client's address."""
        return self._addresses.taken(client_of(connection))

    def for_member(self, actor: Actor) -> AbstractContextManager[bool]:
        """Whether there is a place for one more of the member."""
        return self._members.taken(f"{actor.workspace_id} {actor.member_id}")

    @asynccontextmanager
    async def shown(self, actor: Actor, cursor: str | None) -> AsyncIterator[Subscriber]:
        """What the actor may see, from ``cursor`` on where it can be served; None: from now on."""
        since = None
        if cursor is not None:
            since = await self._hub.wait_for(actor.workspace_id, cursor, CATCH_UP_SECONDS)
        subscriber = self._hub.join(actor.principal, cursor, since)
        SOCKETS.inc()
        try:
            yield subscriber
        finally:
            SOCKETS.dec()
            self._hub.leave(subscriber)


async def until_first(*works: Coroutine[Any, Any, None]) -> None:
    """The first to end ends the others. Errors: those of the first."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
