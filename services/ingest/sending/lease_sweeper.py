"""Keeps our attempts ours while we live, and takes on those of replicas that do not."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from libs.runtime.away import SERVER_AWAY
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from services.ingest.ports.sending import Uncertain
from services.ingest.sending.attempts import (
    LEASE,
    AttemptResult,
    Attempts,
    attempt_of,
    ended_result,
    result_of,
)
from services.ingest.sending.ordered_queues import OrderedQueues

log = structlog.get_logger()

TICK_SECONDS: Final = 1.0
SWEEP_LIMIT: Final = 500
_RENEW_EVERY_TICKS: Final = max(1, int(LEASE.total_seconds() / 3 / TICK_SECONDS))


class LeaseSweeper:
    """Its ``run`` goes to the runtime's tasks."""

    def __init__(self, attempts: Attempts, queues: OrderedQueues) -> None:
        self._attempts = attempts
        self._queues = queues

    async def run(self, stop: asyncio.Event) -> None:
        """Errors: whatever a queue failed with that is no server's outage."""
        ticks = 0
        is_indexed = False
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                try:
                    if not is_indexed:
                        await self._attempts.ensure_indexes()
                        is_indexed = True
                    if ticks % _RENEW_EVERY_TICKS == 0:
                        await self._attempts.renew(self._queues.held)
                    await self.sweep()
                except SERVER_AWAY as error:
                    log.warning("attempts are not swept yet", error=repr(error))
                ticks += 1
                ends: list[asyncio.Future[Any]] = [stopping, self._queues.failure]
                await asyncio.wait(ends, timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if self._queues.failure.done():
                    self._queues.failure.result()
        finally:
            stopping.cancel()
            await self._queues.stop()
            try:
                await self._attempts.release()
            except SERVER_AWAY as error:
                log.warning("attempts are not released, they lapse", error=repr(error))

    async def sweep(self) -> None:
        """Once over what has lapsed. Errors: pymongo's, PublishFailed."""
        # While the server was away our own may have lapsed; nobody took them, so they are ours.
        lapsed = [
            one
            for one in await self._attempts.lapsed(SWEEP_LIMIT)
            if not self._queues.holds(one["_id"])
        ]
        begun = [one for one in lapsed if one["state"] == "begun" and not one.get("correction")]
        claimed = [one for one in begun if await self._attempts.claim(one)]
        uncertain = _each(claimed, _uncertain)
        if uncertain:
            log.warning("attempts without an end", count=len(uncertain))
            await self._queues.finish(uncertain)
        if ended := _each([one for one in lapsed if one["state"] == "ended"], ended_result):
            await self._queues.tell(ended)
        if self._queues.may_send:
            # A correction that was begun is begun again, in its turn: done twice is done once.
            await self._adopt(
                [
                    one
                    for one in lapsed
                    if one["state"] == "waiting"
                    or (one["state"] == "begun" and one.get("correction"))
                ]
            )

    async def _adopt(self, waiting: Sequence[Document]) -> None:
        if not waiting:
            return
        names = {one["_id"] for one in waiting}
        # A conversation of which another replica holds something stays with that one; of what we
        # hold ourselves, and of what has lapsed, nothing is asked first.
        busy = {
            one["lane"]
            for one in await self._attempts.unsettled({one["lane"] for one in waiting})
            if one["_id"] not in names and one["owner"] != self._attempts.owner
        }
        for one in waiting:
            if one["lane"] in busy:
                continue
            if await self._attempts.claim(one):
                for attempt in _each([one], attempt_of):
                    self._queues.enqueue(attempt)
            else:
                busy.add(one["lane"])


def _each[T](documents: Sequence[Document], make: Callable[[Document], T]) -> list[T]:
    """Of each that can be read."""
    made = []
    for document in documents:
        with left_out("attempt", document["_id"]):
            made.append(make(document))
    return made


def _uncertain(document: Document) -> AttemptResult:
    ending = Uncertain(
        "no-end", "It was being sent when the sending stopped", tuple(document["done"])
    )
    return result_of(attempt_of(document), ending, document["begun_at"])
