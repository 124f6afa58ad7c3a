"""One at a time for each stream of a process, without a lock for each stream there ever was."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager


class Turn:
    """The right to publish one stream, and what its holders tell the next one in the queue."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
        # Every version up to this one is known to be acknowledged.
        self.acknowledged = 0
        # A holder failed: what it left unpublished is only known to the store.
        self.failed = False


class OrderedQueues:
    """A queue for each stream; one exists only while somebody has its turn or waits for it."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    def busy(self, stream: str) -> bool:
        """Whether somebody has or awaits the stream's turn."""
        return stream in self._turns

    @asynccontextmanager
    async def hold(self, streams: Collection[str]) -> AsyncIterator[dict[str, Turn]]:
        """Hold the turns of all the streams; waits in the order of their names, so nobody is
        waited for in a circle."""
        turns = {stream: self._turns.setdefault(stream, Turn()) for stream in sorted(streams)}
        for turn in turns.values():
            turn.users += 1
        try:
            async with AsyncExitStack() as held:
                for turn in turns.values():
                    await held.enter_async_context(turn.lock)
                try:
                    yield turns
                except BaseException:
                    for turn in turns.values():
                        turn.failed = True
                    raise
        finally:
            for stream, turn in turns.items():
                turn.users -= 1
                if not turn.users:
                    del self._turns[stream]
