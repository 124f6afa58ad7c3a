"""Turns at work that takes long, so that it never stands before what is short.

A workspace that asks for much of it waits for its own turns; short work needs none.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.runtime.problems import TooMany
from libs.runtime.texts import COMMON


class LongWork:
    """``at_once`` for a workspace, as many as ``waiting`` behind them; ``in_all`` at once for all
    workspaces together, who then wait for each other."""

    def __init__(self, at_once: int, waiting: int, in_all: int) -> None:
        self._at_once = at_once
        self._waiting = waiting
        self._there: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._in_all = asyncio.Semaphore(in_all)

    @asynccontextmanager
    async def turn(self, workspace_id: str) -> AsyncIterator[None]:
        """Errors: TooMany, where more would only wait."""
        if self._there[workspace_id] >= self._at_once + self._waiting:
            raise TooMany(COMMON.say("too-many.long-work"))
        self._there[workspace_id] += 1
        turns = self._turns.setdefault(workspace_id, asyncio.Semaphore(self._at_once))
        try:
            async with turns, self._in_all:
                yield
        finally:
            self._there[workspace_id] -= 1
            if not self._there[workspace_id]:
                del self._there[workspace_id], self._turns[workspace_id]
