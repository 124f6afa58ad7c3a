"""Handles what is due, a few at a time, as soon as it is known of."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from libs.runtime.away import SERVER_AWAY
from libs.runtime.left_out import left_out

log = structlog.get_logger()

POLL_SECONDS: Final = 2.0
GIVE_UP_AFTER: Final = timedelta(hours=24)


class Polling[T]:
    """``claim`` gives the next that is due, ``handle`` deals with it, ``idle`` is called when there
    is none. ``what`` names them in the log. Where MongoDB is away they wait: a claim is a lease."""

    def __init__(
        self,
        what: str,
        at_once: int,
        claim: Callable[[], Awaitable[T | None]],
        handle: Callable[[T], Awaitable[None]],
        idle: Callable[[], Awaitable[None]],
    ) -> None:
        self._what = what
        self._claim = claim
        self._handle = handle
        self._idle = idle
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(at_once)

    def wake(self) -> None:
        """There is something new."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as handling:
            while not stop.is_set():
                try:
                    busy = await self._start_one(handling)
                except SERVER_AWAY as error:
                    log.warning("waiting for MongoDB", what=self._what, error=repr(error))
                    busy = False
                if not busy:
                    await self._rest(stop)

    async def _start_one(self, handling: asyncio.TaskGroup) -> bool:
        await self._slots.acquire()
        claimed = None
        try:
            with left_out(self._what, "one that is due", SERVER_AWAY):
                claimed = await self._claim()
        finally:
            if claimed is None:
                self._slots.release()
        if claimed is None:
            await self._idle()
            return False
        handling.create_task(self._handled(claimed))
        return True

    async def _handled(self, claimed: T) -> None:
        try:
            # One that fails on what it holds is tried again when its lease has ended.
            with left_out(self._what, "one that was claimed", SERVER_AWAY):
                await self._handle(claimed)
        except SERVER_AWAY as error:
            # Its lease ends by itself, to what is known then.
            log.warning("an end could not be written down", what=self._what, error=repr(error))
        finally:
            self._slots.release()

    async def _rest(self, stop: asyncio.Event) -> None:
        """Until there may be something; the poll finds what another replica left."""
        ends = [asyncio.create_task(event.wait()) for event in (stop, self._wake)]
        await asyncio.wait(ends, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        self._wake.clear()
