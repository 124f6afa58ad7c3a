"""Many callers, one round trip."""

import asyncio
from collections.abc import Sequence

from libs.runtime.combine import Combiner


async def test_what_arrives_during_a_write_goes_with_the_next() -> None:
    batches: list[Sequence[int]] = []

    async def write(batch: Sequence[int]) -> Sequence[int]:
        batches.append(batch)
        await asyncio.sleep(0.01)
        return [2 * one for one in batch]

    combined = Combiner(write)
    assert await asyncio.gather(*(combined(n) for n in range(10))) == [2 * n for n in range(10)]
    assert len(batches) == 1


async def test_an_error_is_everybodys_and_the_next_write_goes_on() -> None:
    failures = [True, False]

    async def write(batch: Sequence[int]) -> Sequence[int]:
        if failures.pop(0):
            raise ConnectionError
        return batch

    combined = Combiner(write)
    first = await asyncio.gather(combined(1), combined(2), return_exceptions=True)
    assert all(isinstance(one, ConnectionError) for one in first)
    assert await combined(3) == 3
