"""From the webhook to the agent's WebSocket, at a fixed rate whatever the answers do."""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.child import Child
from benchmarks.figures import Figures
from benchmarks.load import at_rate
from benchmarks.system import System
from benchmarks.wire import Connection, Connections, WrongAnswer

RATES: Final = (20, 200)
SECONDS: Final = 15.0
_CONNECTIONS: Final = 64
_LATEST_S: Final = 30.0
_MARK = re.compile(r"mark-(\d+)-")

Begin = Callable[[int], Coroutine[Any, Any, None]]


async def measure(system: System, figures: Figures, chats: range) -> None:
    """Latencies at each rate; the bare limit echoes frames of the same size at the same rate."""
    for rate in RATES:
        system.say(f"webhook to WebSocket at {rate} messages/s")
        count = int(rate * SECONDS)
        ours, frame_bytes = await _through_the_suite(system, chats, rate, count)
        await system.until_idle()
        bare = await _echoed(rate, count, frame_bytes)
        figures.latencies("live", f"_at_{rate}", ours, bare)


async def _through_the_suite(
    system: System, chats: range, rate: int, count: int
) -> tuple[list[float], int]:
    """Seconds from when each was due to its frame, and the mean size of a frame."""
    # The chats take turns in an order of their own: of neighbours in time, no two are the same.
    ready = [
        system.updates.to(chats[number % len(chats)], f"mark-{number}- where is my order?")
        for number in range(count)
    ]
    async with Connections(system.webhook_url, _CONNECTIONS) as connections:
        free: asyncio.Queue[Connection] = asyncio.Queue()
        for one in connections.each:
            free.put_nowait(one)

        async def begin(number: int) -> None:
            connection = await free.get()
            await connection.send(ready[number])
            free.put_nowait(connection)

        async with connect(system.gateway.replace("http", "ws", 1) + "/v1/live") as socket:
            await socket.send(msgspec.json.encode({"token": system.token}).decode())
            first = msgspec.json.decode(await socket.recv())
            if first["type"] != "ready":
                raise WrongAnswer(f"the socket began with {first}")
            return await _arrivals(socket, rate, count, begin)


async def _echoed(rate: int, count: int, frame_bytes: int) -> list[float]:
    with Child("benchmarks.echo") as child:
        async with connect(child.url) as socket:

            async def begin(number: int) -> None:
                await socket.send(f"mark-{number}- ".ljust(frame_bytes, "x"))

            latencies, _ = await _arrivals(socket, rate, count, begin)
            return latencies


async def _arrivals(
    socket: ClientConnection, rate: int, count: int, begin: Begin
) -> tuple[list[float], int]:
    """Lay the load on and wait for the frame that carries each mark.

    Errors: WrongAnswer when one never came.
    """
    dues: dict[int, float] = {}
    arrived: dict[int, float] = {}
    sizes: list[int] = []

    async def receive() -> None:
        while len(arrived) < count:
            frame = await socket.recv()
            now = time.perf_counter()
            found = _MARK.search(str(frame))
            if found:
                arrived.setdefault(int(found[1]), now)
                sizes.append(len(frame))

    async def begin_at(number: int, due: float) -> None:
        dues[number] = due
        await begin(number)

    receiving = asyncio.create_task(receive())
    try:
        await at_rate(rate, count, begin_at)
        async with asyncio.timeout(_LATEST_S):
            await receiving
    except TimeoutError as error:
        raise WrongAnswer(f"{count - len(arrived)} of {count} frames never came") from error
    finally:
        receiving.cancel()
    return [arrived[number] - due for number, due in dues.items()], sum(sizes) // len(sizes)
