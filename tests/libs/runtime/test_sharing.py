"""Reads that are shared: as few as possible, none begun before it was asked for."""

import asyncio

import pytest

from libs.runtime.sharing import SharedReads


class Slow:
    """A read that takes until it is let go; its answer is how many were begun before it."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        return number


async def test_those_who_ask_during_a_read_share_the_next() -> None:
    shared: SharedReads[int] = SharedReads()
    slow = Slow()
    first = asyncio.create_task(shared.get("k", slow))
    await asyncio.sleep(0)
    later = [asyncio.create_task(shared.get("k", slow)) for _ in range(15)]
    other = asyncio.create_task(shared.get("another", slow))
    await asyncio.sleep(0.01)
    assert slow.begun == 2
    slow.may_end.set()
    assert await first == 1
    assert await asyncio.gather(*later) == [3] * 15
    assert await other == 2
    assert await shared.get("k", slow) == 4
    assert (shared._running, shared._waiting) == ({}, {})


async def test_one_who_goes_leaves_the_read_to_the_others() -> None:
    shared: SharedReads[int] = SharedReads()
    slow = Slow()
    asked = [asyncio.create_task(shared.get("k", slow)) for _ in range(3)]
    await asyncio.sleep(0.01)
    asked[0].cancel()
    asked[1].cancel()
    slow.may_end.set()
    assert await asked[2] == 2


async def test_a_failure_is_told_to_all_who_share_it_and_ends_with_it() -> None:
    shared: SharedReads[int] = SharedReads()

    async def fails() -> int:
        await asyncio.sleep(0.01)
        raise ValueError("no")

    async def works() -> int:
        return 7

    asked = [shared.get("k", fails) for _ in range(3)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in outcomes] == [ValueError] * 3
    assert await shared.get("k", works) == 7


async def test_one_task_reads_for_sixteen_who_go_on_asking() -> None:
    shared: SharedReads[int] = SharedReads()
    reads = 0

    async def read() -> int:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0.001)
        return reads

    async def asker() -> None:
        for _ in range(10):
            begun_before = reads
            assert await shared.get("k", read) > begun_before

    async with asyncio.timeout(5):
        await asyncio.gather(*(asker() for _ in range(16)))
    assert reads <= 25


@pytest.mark.parametrize("askers", [1, 5])
async def test_nothing_is_kept_after_the_last_answer(askers: int) -> None:
    shared: SharedReads[int] = SharedReads()

    async def read() -> int:
        await asyncio.sleep(0)
        return 1

    for _ in range(3):
        await asyncio.gather(*(shared.get("k", read) for _ in range(askers)))
    assert (shared._running, shared._waiting) == ({}, {})
