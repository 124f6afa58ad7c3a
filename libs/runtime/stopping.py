"""A pause that a stop cuts short."""

import asyncio


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Waits until ``stop`` is set, ``seconds`` at the most; whether it is."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
