"""The owner's screen: it follows the live socket as a console would, and must miss nothing."""

import asyncio
from typing import Self

import aiohttp

from parley.client import ApiClient, LiveFrames, RequestRefused
from tests.support.crash.load import PAUSE_S
from tests.support.crash.pages import all_pages
from tests.support.e2e.team import Json

# A message of a case that nobody may see yet is not told of; it comes with the case itself.
_BECOMES_VISIBLE = "parley.case.routed.v1"


class Screen:
    """The messages that it shows, by id. As a context manager it follows while it is open.

    It goes on from its last cursor after every break, and asks the API only where it is told to
    reload (at its beginning, and when the gateway cannot fill the gap) or sees a new case.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._cursor: str | None = None
        self._following: asyncio.Task[None] | None = None
        self.shown: set[str] = set()
        self.breaks = 0
        self.reloads = 0

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    def missing(self, timelines: dict[str, list[Json]]) -> list[str]:
        if self._following is not None and self._following.done():
            self._following.result()
        told = f"(after {self.breaks} breaks and {self.reloads} reloads)"
        breaches = []
        for name, items in timelines.items():
            ids = [item["id"] for item in items if item["kind"] == "message"]
            if unseen := [one for one in ids if one not in self.shown]:
                breaches.append(f"never on the live screen, of {name} {told}: {unseen}")
        return breaches

    async def _follow(self) -> None:
        while True:
            try:
                async with self._client.live(self._cursor) as frames:
                    if self._cursor is None:
                        ready = await frames.until("ready")
                        await self._reload()
                        self._cursor = ready["cursor"]
                    await self._show(frames)
            except RequestRefused as refusal:
                if refusal.status < 500:
                    raise
            except (aiohttp.ClientError, TimeoutError, aiohttp.WSMessageTypeError):
                self.breaks += 1
            await asyncio.sleep(PAUSE_S)

    async def _show(self, frames: LiveFrames) -> None:
        while True:
            frame = await frames.next(timeout_seconds=120)
            if frame["type"] == "reload":
                await self._reload()
            elif frame.get("event") == _BECOMES_VISIBLE:
                await self._read(frame["conversation_id"])
            elif message := frame.get("data", {}).get("message"):
                self.shown.add(message["message_id"])
            # Only now: what could not be shown comes again.
            self._cursor = frame.get("cursor", self._cursor)

    async def _reload(self) -> None:
        self.reloads += 1
        for row in await all_pages(self._client, "/v1/conversations", tab="all"):
            await self._read(row["conversation_id"])

    async def _read(self, conversation_id: str) -> None:
        path = f"/v1/conversations/{conversation_id}/timeline"
        try:
            items = await all_pages(self._client, path)
        except RequestRefused as refusal:
            if refusal.status != 404:
                raise
            return  # its next case waits in routing, and will be told of when it leaves it
        self.shown.update(item["id"] for item in items if item["kind"] == "message")
