"""Who is blocked, kept in memory for threads that were not told of it.

A conversation that was there at the block knows it by itself, for it is an event of it too. Only a
new thread of a blocked customer (a comment under another post) has to be told; asking for it with
each batch would be a round trip on the way of every message. The blocked are few, so each replica
keeps their ids and looks again every second.
"""

import asyncio
from typing import Final

import structlog

from libs.runtime.away import SERVER_AWAY
from libs.runtime.rows import Rows
from libs.runtime.stopping import stopped_within

log = structlog.get_logger()

_EVERY_SECONDS: Final = 1.0


class BlockedCustomers:
    """``ids``: those who are blocked, with all their identities."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.ids: frozenset[str] = frozenset()

    async def run(self, stop: asyncio.Event) -> None:
        while not await stopped_within(stop, _EVERY_SECONDS):
            try:
                await self.refresh()
            except SERVER_AWAY as error:
                log.warning("the blocked are not looked for now", error=type(error).__name__)

    async def refresh(self) -> None:
        """Of a person, all identities while one is blocked. Errors: the driver's."""
        everybody: set[str] = set()
        asked: set[str] = set()
        found = await self._rows.find({"blocked": True}, {"merged_into": 1}).to_list()
        while found:
            newest = {row["_id"] for row in found} - everybody
            everybody |= newest
            merged_into = {row["merged_into"] for row in found if "merged_into" in row}
            primaries = merged_into - everybody - asked
            asked |= primaries
            either = [
                {"merged_into": {"$in": sorted(newest)}},
                {"_id": {"$in": sorted(primaries)}},
            ]
            found = []
            if newest or primaries:
                found = await self._rows.find({"$or": either}, {"merged_into": 1}).to_list()
        self.ids = frozenset(everybody)
