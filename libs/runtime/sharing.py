"""One read for all who ask the same at once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable


class SharedReads[T]:
    """Whoever asks while the same is being read shares the next read with all who wait for it.

    So no answer was begun before it was asked for: it shows whatever was written until then.
    However many ask, at most one read runs for a key, and one waits.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}
        self._waiting: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Errors: what ``read`` raises, to each who shares it."""
        task = self._waiting.get(key)
        if task is None:
            before = self._running.get(key)
            task = asyncio.create_task(self._read(key, read, before))
            (self._running if before is None else self._waiting)[key] = task
            # Those who asked may all have gone by the time it fails.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # One who goes does not take the answer from the others.
        return await asyncio.shield(task)

    async def _read(
        self, key: Hashable, read: Callable[[], Awaitable[T]], before: "asyncio.Task[T] | None"
    ) -> T:
        if before is not None:
            await asyncio.wait({before})
            self._running[key] = self._waiting.pop(key)
        try:
            return await read()
        finally:
            if key not in self._waiting:
                del self._running[key]
