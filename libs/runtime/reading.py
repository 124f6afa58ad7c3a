"""A consumer that is made anew where aiokafka's has come to its end.

aiokafka's consumer outlives brokers that go and come. What it does not outlive: a broker that is
away when it begins, an answer of the group's coordinator that it does not expect, and an error in
its own background tasks, after which it says nothing for ever (0.14 looks at none of them).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from libs.runtime.metrics import CONSUMERS_MADE_ANEW
from libs.runtime.stopping import stopped_within

log = structlog.get_logger()

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
# Who has read so long had a new trouble, not the old one again.
_WELL_AGAIN_SECONDS: Final = 30.0
_CANCELLED_AGAIN_SECONDS: Final = 0.1
# Milliseconds and bytes. A connection answers in order, so what is asked behind an open request,
# as after a rebalance, waits as long.
_WHILE_IDLE: Final = (2_000, 1)


class Reader(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka's, which fails where it would say nothing for ever, always closes what it has
    opened, and asks seldom while nothing comes.

    ``fetch_max_wait_ms`` and ``fetch_min_bytes`` hold while records come. After a poll that brought
    none the broker may keep a request open for longer, and answers the first record at once: an
    idle consumer costs both sides a quarter. While records come it must not, for a request that is
    open leaves out the partitions whose records are just being handled.
    """

    def __init__(
        self, *topics: str, fetch_max_wait_ms: int = 500, fetch_min_bytes: int = 1, **options: Any
    ) -> None:
        super().__init__(
            *topics,
            fetch_max_wait_ms=fetch_max_wait_ms,
            fetch_min_bytes=fetch_min_bytes,
            **options,
        )
        self._while_busy = (fetch_max_wait_ms, fetch_min_bytes)

    async def getmany(self, *partitions: Any, **options: Any) -> Any:
        """Errors: KafkaError."""
        for task in (self._fetcher._fetch_task, self._client._sync_task):
            if task is not None and task.done():
                raise KafkaError("a background task of the consumer has ended")
        fetched = await super().getmany(*partitions, **options)
        fetcher = self._fetcher
        fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = (
            self._while_busy if fetched else _WHILE_IDLE
        )
        return fetched

    async def stop(self) -> None:
        if self._fetcher is not None:
            await _end(self._fetcher._fetch_task)
        try:
            await super().stop()
        except KafkaError as error:  # its coordination had failed: of no interest any more
            log.info("a consumer was stopped that had failed", error=repr(error))
            await self._close()
        except asyncio.CancelledError:
            # A fetch that was just waiting to be tried again lets its own cancellation out.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            await self._close()

    async def _close(self) -> None:
        fetching = [self._fetcher._fetch_task, *self._fetcher._pending_tasks]
        for task in fetching:
            task.cancel()
        await asyncio.gather(*fetching, return_exceptions=True)
        await self._client.close()


async def _end(fetching: "asyncio.Task[None]") -> None:
    """aiokafka cancels its fetching once and waits for it. While that gives up the requests of a
    former assignment it takes the cancellation for theirs, and would go on for ever."""
    while not fetching.done():
        fetching.cancel()
        await asyncio.wait([fetching], timeout=_CANCELLED_AGAIN_SECONDS)


async def read_on(
    read: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event, what: str
) -> None:
    """``read`` makes a consumer and reads until ``stop``: again where a KafkaError ends it."""
    pause = _FIRST_PAUSE_SECONDS
    now = asyncio.get_running_loop().time
    while not stop.is_set():
        began = now()
        try:
            await read(stop)
        except KafkaError as error:
            CONSUMERS_MADE_ANEW.labels(what).inc()
            log.warning("the consumer is made anew", consumer=what, error=repr(error))
            if now() - began > _WELL_AGAIN_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await stopped_within(stop, pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        else:
            return
