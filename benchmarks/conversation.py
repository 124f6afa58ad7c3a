"""The conversation service alone: messages from Kafka to Kafka, and members' commands.

python -m benchmarks.conversation
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import bare
from benchmarks.alone import NAME, Alone, alone, started_alone
from benchmarks.desk import CONNECTIONS, REPLY
from benchmarks.figures import Figures, percentile, table
from benchmarks.load import by_workers
from benchmarks.usage import spent
from benchmarks.wire import Connection, Connections
from libs.devstack.stack import Devstack
from parley.suite import Suite

CHATS: Final = 2_000
MESSAGES: Final = 12_000
CYCLES: Final = 800
_WARM_UP: Final = 2_000


def measure(figures: Figures, say: Callable[[str], None]) -> None:
    """On servers of its own, so that nothing else is at work beside it."""
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as folder,
        started_alone(Path(folder), say) as (stack, suite),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_measure(stack, suite, figures, say))


async def _measure(
    stack: Devstack, suite: Suite, figures: Figures, say: Callable[[str], None]
) -> None:
    async with alone(stack, suite, say) as world:
        await measure_messages(world, figures)
        await measure_commands(world, figures)
        figures.put("conversation_rss_mb", world.usage()[NAME].rss_mb)


async def measure_messages(world: Alone, figures: Figures) -> None:
    """Messages a second, from the first taken from Kafka to the last in the read models.

    Six in each of so many new conversations. The bare drivers make the same writes: a document
    inserted and an event acknowledged a message, a row inserted a conversation and replaced for
    each later batch that has a message of it.
    """
    world.say(f"{MESSAGES} messages over {CHATS} conversations, conversation alone")
    await world.receive([world.message(chat) for chat in range(1, _WARM_UP)], _WARM_UP - 1)
    first = _WARM_UP
    messages = [world.message(first + number % CHATS) for number in range(MESSAGES)]
    before = world.usage()
    seconds = await world.receive(messages, MESSAGES)
    used = spent(before, world.usage())
    limit = await bare.messages(world.servers, MESSAGES, CHATS)
    figures.beside("conversation_messages_per_s", MESSAGES / seconds, MESSAGES / limit)
    for name, one in used.items():
        figures.put(f"conversation_messages_cpu_s_{name}", one.cpu_s)


async def measure_commands(world: Alone, figures: Figures) -> None:
    """Take, reply and close, each counted, at 16 connections to the service itself."""
    world.say(f"take, reply, close of {CYCLES} cases, conversation alone")
    paths = [f"/v1/conversations/{world.conversation_id(chat)}" for chat in range(1, CYCLES + 1)]
    work = [
        (
            world.api("POST", f"{path}/take"),
            world.api("POST", f"{path}/messages", {"content": REPLY}),
            world.api("POST", f"{path}/close"),
        )
        for path in paths
    ]
    latencies: list[float] = []

    async def cycle(connection: Connection, requests: tuple[bytes, ...]) -> None:
        for one in requests:
            began = time.perf_counter()
            await connection.send(one)
            latencies.append(time.perf_counter() - began)

    async with Connections(world.url, CONNECTIONS) as connections:
        ours = await by_workers([partial(cycle, one) for one in connections.each], work)
    records = await bare.inbound_records(world.servers)
    limit = await bare.commands(world.servers, records, CYCLES, CONNECTIONS)
    figures.beside("commands_per_s", 3 * ours.per_s, 3 * limit.per_s)
    for percent in (50, 99):
        figures.put(f"commands_p{percent}_ms", percentile(latencies, percent) * 1000)


def main() -> None:
    figures = Figures()
    measure(figures, lambda what: print(what, flush=True))
    print(f"\n{table(figures.values)}")


if __name__ == "__main__":
    main()
