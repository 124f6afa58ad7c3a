"""The processes under test, killed and started again: the supervisor's part."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from libs.devstack import Devstack
from libs.devstack.processes import ManagedProcess
from libs.eventstore.outbox import Step
from parley.suite import Suite
from tests.support.crash.load import Load
from tests.support.crash.stop_at import STATUS

READY_WITHIN_S = 120.0
# A transaction that a killed process left open is held by MongoDB for up to a minute
# (transactionLifetimeLimitSeconds), and with it the rows that it had written.
RECOVERED_WITHIN_S = 120.0
STOPS_WITHIN_S = 30.0
AWAY_S = 1.0
_POLL_S = 0.1


class Parts:
    """The six services, Kafka and MongoDB by their names."""

    def __init__(self, suite: Suite, devstack: Devstack, folder: Path) -> None:
        assert devstack.kafka is not None
        assert devstack.mongodb is not None
        self._folder = folder
        self._services = dict(suite.processes)
        self._servers = {"kafka": devstack.kafka, "mongodb": devstack.mongodb}

    @property
    def _all(self) -> dict[str, ManagedProcess]:
        return self._servers | self._services

    async def start_all(self) -> None:
        for process in self._services.values():
            await asyncio.to_thread(process.start)
        await self._ready()

    async def stop_all(self) -> None:
        for process in reversed(self._services.values()):
            await asyncio.to_thread(process.kill)

    async def restart_dead(self) -> None:
        """After a test that failed."""
        for name in self._services:
            (self._folder / f"{name}.stop").unlink(missing_ok=True)
        for process in self._all.values():
            if not process.alive:
                await asyncio.to_thread(process.start)
        await self._ready()

    async def crash(self, name: str, away_s: float = AWAY_S) -> None:
        """``kill -9``; ``away_s`` later it is started again, and everything gets ready again."""
        await asyncio.to_thread(self._all[name].kill)
        await asyncio.sleep(away_s)
        await self._back(name)

    async def stop(self, name: str, away_s: float) -> None:
        """Ends in order, as at a rolling restart, and is started again ``away_s`` later."""
        await asyncio.to_thread(self._all[name].stop, STOPS_WITHIN_S)
        await asyncio.sleep(away_s)
        await self._back(name)

    def order_stop(self, name: str, step: Step, times: int) -> None:
        """See ``stop_at``."""
        order = self._folder / f"{name}.stop"
        draft = order.with_suffix(".draft")
        draft.write_text(f"{step.name} {times}")
        draft.rename(order)

    async def stopped_by_order(self, *names: str) -> None:
        """When they have stopped where they were told to, they are started again."""
        deadline = time.monotonic() + STOPS_WITHIN_S
        for name in names:
            process = self._services[name]
            while process.alive:
                assert time.monotonic() < deadline, f"{name} never came to the step to stop at"
                await asyncio.sleep(_POLL_S)
            assert f"status {STATUS};" in str(process.failure()), process.failure()
        await asyncio.sleep(AWAY_S)
        await self._back(*names)

    async def _back(self, *names: str) -> None:
        for name in names:
            await asyncio.to_thread(self._all[name].start)
        await self._ready()

    async def _ready(self) -> None:
        """Errors: ProcessFailed where one has died that nobody killed."""
        for process in self._all.values():
            await asyncio.to_thread(process.wait_ready, READY_WITHIN_S)


async def answers_leave(load: Load, sent: Sequence[object]) -> None:
    """The whole path works: from now on customers write, and are answered."""
    written, left = load.acknowledged, len(sent)
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while load.acknowledged < written + 10 or len(sent) < left + 3:
        assert time.monotonic() < deadline, (
            f"{load.acknowledged - written} messages came and {len(sent) - left} answers left"
        )
        await asyncio.sleep(_POLL_S)
