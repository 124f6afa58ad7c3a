"""Work that takes long has turns, for each workspace."""

import asyncio

import pytest

from libs.runtime.long_work import LongWork
from libs.runtime.problems import TooMany


class Worker:
    """Does work that ends when it is told to."""

    def __init__(self, long_work: LongWork) -> None:
        self._long_work = long_work
        self.begun: list[str] = []
        self.end = asyncio.Event()

    async def work(self, workspace_id: str) -> None:
        async with self._long_work.turn(workspace_id):
            self.begun.append(workspace_id)
            await self.end.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_workspace_waits_for_its_own_turns_and_another_does_not() -> None:
    worker = Worker(LongWork(at_once=2, waiting=2, in_all=3))
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(worker.work("wsp_1"))
        await settle()
        group.create_task(worker.work("wsp_2"))
        await settle()
        assert worker.begun == ["wsp_1", "wsp_1", "wsp_2"]

        with pytest.raises(TooMany):
            await worker.work("wsp_1")
        worker.end.set()
    assert sorted(worker.begun) == ["wsp_1"] * 4 + ["wsp_2"]


async def test_a_turn_is_free_again_whatever_ended_it() -> None:
    long_work = LongWork(at_once=1, waiting=0, in_all=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with long_work.turn("wsp_1"):
                raise ZeroDivisionError
    worker = Worker(long_work)
    task = asyncio.create_task(worker.work("wsp_1"))
    await settle()
    task.cancel()
    await settle()
    async with long_work.turn("wsp_1"):
        pass
