"""How load is laid on: by so many at once, or at a fixed rate whatever the answers do."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Measured:
    """``latencies_s``: of each piece; ``seconds``: from the first begun to the last done."""

    latencies_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def per_s(self) -> float:
        return len(self.latencies_s) / self.seconds


async def by_workers[T](
    workers: Sequence[Callable[[T], Awaitable[object]]],
    work: Iterable[T],
    *,
    seconds: float = float("inf"),
) -> Measured:
    """Each worker takes the next piece as soon as it has done one, for ``seconds`` or to the end.

    Errors: an ExceptionGroup of the first that a worker raises.
    """
    pieces = iter(work)
    measured = Measured()
    began = time.perf_counter()
    ends = began + seconds

    async def worker(do: Callable[[T], Awaitable[object]]) -> None:
        for piece in pieces:
            started = time.perf_counter()
            await do(piece)
            done = time.perf_counter()
            measured.latencies_s.append(done - started)
            if done > ends:
                return

    async with asyncio.TaskGroup() as group:
        for do in workers:
            group.create_task(worker(do))
    measured.seconds = time.perf_counter() - began
    return measured


async def at_rate(
    per_s: float, count: int, begin: Callable[[int, float], Coroutine[None, None, None]]
) -> None:
    """Begin the pieces 0 … count-1 at their time, however long the ones before take.

    ``begin`` is given the number and the instant (``perf_counter``) at which the piece was due: a
    load that is late counts against the latency. Errors: an ExceptionGroup of the first raised.
    """
    first = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due = first + number / per_s
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            group.create_task(begin(number, due))


async def shortest(work: Callable[[], Awaitable[object]], rounds: int = 5) -> float:
    """Of so many rounds, one after the other; seconds."""
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        await work()
        took.append(time.perf_counter() - started)
    return min(took)
