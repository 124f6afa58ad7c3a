"""One at a time for each stream of a process, without a lock for each stream there ever was."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager


class Lane:
    """The right to publish one stream, and what its holders tell the next one in the queue."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
        # Every version up to this one is known to be acknowledged.
        self.acknowledged = 0
        # A holder failed: what it left unpublished is only known to the store.
        self.failed = False


class Lanes:
    """Lanes by stream; one exists only while somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}

    def busy(self, stream: str) -> bool:
        """Whether somebody holds or awaits the stream's lane."""
        return stream in self._lanes

    @asynccontextmanager
    async def hold(self, streams: Collection[str]) -> AsyncIterator[dict[str, Lane]]:
        """Hold the lanes of all the streams; waits in the order of their names, so nobody is
        waited for in a circle."""
        lanes = {stream: self._lanes.setdefault(stream, Lane()) for stream in sorted(streams)}
        for lane in lanes.values():
            lane.users += 1
        try:
            async with AsyncExitStack() as held:
                for lane in lanes.values():
                    await held.enter_async_context(lane.lock)
                try:
                    yield lanes
                except BaseException:
                    for lane in lanes.values():
                        lane.failed = True
                    raise
        finally:
            for stream, lane in lanes.items():
                lane.users -= 1
                if not lane.users:
                    del self._lanes[stream]
