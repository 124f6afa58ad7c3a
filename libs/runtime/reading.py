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


class Reader(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka's, which fails where it would say nothing for ever, and always closes what it has
    opened."""

    async def getmany(self, *partitions: Any, **options: Any) -> Any:
        """Errors: KafkaError."""
        for task in (self._fetcher._fetch_task, self._client._sync_task):
            if task is not None and task.done():
                raise KafkaError("a background task of the consumer has ended")
        return await super().getmany(*partitions, **options)

    async def stop(self) -> None:
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
