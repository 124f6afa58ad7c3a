import asyncio
from functools import partial
from itertools import pairwise

import pytest

from benchmarks.load import at_rate, by_workers, shortest


async def test_workers_share_the_pieces_and_each_is_done_once() -> None:
    done: list[tuple[str, int]] = []

    async def work(worker: str, piece: int) -> None:
        await asyncio.sleep(0)
        done.append((worker, piece))

    measured = await by_workers([partial(work, "a"), partial(work, "b")], range(10))

    assert sorted(piece for _, piece in done) == list(range(10))
    assert {worker for worker, _ in done} == {"a", "b"}
    assert len(measured.latencies_s) == 10
    assert measured.per_s == 10 / measured.seconds


async def test_workers_end_when_their_time_is_over() -> None:
    async def work(_: int) -> None:
        await asyncio.sleep(0)

    measured = await by_workers([work, work], range(1000), seconds=0)

    assert len(measured.latencies_s) == 2


async def test_the_first_refusal_ends_the_measurement() -> None:
    async def work(piece: int) -> None:
        if piece == 3:
            raise LookupError(piece)

    with pytest.RaisesGroup(LookupError):
        await by_workers([work], range(10))


async def test_at_a_rate_pieces_begin_although_the_ones_before_are_not_done() -> None:
    all_begun = asyncio.Event()
    dues: list[float] = []

    async def begin(number: int, due: float) -> None:
        dues.append(due)
        if number == 4:
            all_begun.set()
        await all_begun.wait()

    await at_rate(1000, 5, begin)

    steps = [later - earlier for earlier, later in pairwise(dues)]
    assert steps == pytest.approx([0.001] * 4)


async def test_of_several_rounds_the_shortest_counts() -> None:
    pauses = iter((0.03, 0.0, 0.02))

    async def work() -> None:
        await asyncio.sleep(next(pauses))

    assert await shortest(work, rounds=3) < 0.02
    assert next(pauses, None) is None
