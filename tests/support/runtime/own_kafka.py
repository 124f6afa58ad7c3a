"""A Kafka that no other test needs meanwhile, and what may become of it."""

import asyncio

from libs.devstack import ManagedProcess

READY_S = 60.0


async def ended(broker: ManagedProcess, away_s: float) -> None:
    """In order, as a rolling restart does, and started again."""
    await asyncio.to_thread(broker.stop, 30)
    await back(broker, away_s)


async def killed(broker: ManagedProcess, away_s: float) -> None:
    await asyncio.to_thread(broker.kill)
    await back(broker, away_s)


async def back(broker: ManagedProcess, away_s: float) -> None:
    await asyncio.sleep(away_s)
    await asyncio.to_thread(broker.start)
    await asyncio.to_thread(broker.wait_ready, READY_S)
