"""What agents do through the gateway: look at the inbox, and take, answer and close cases."""

import itertools
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from benchmarks import bare
from benchmarks.figures import Figures
from benchmarks.load import by_workers
from benchmarks.system import System, until
from benchmarks.wire import Connection, Connections, WrongAnswer, fetch

CONNECTIONS: Final = 16
SECONDS: Final = 6.0
_WARM_UP_S: Final = 1.0
REPLY: Final = {"text": "Good afternoon! It is on its way and arrives tomorrow before noon."}


async def measure_inbox(system: System, figures: Figures, size: str) -> None:
    """``GET /v1/conversations?tab=new&limit=30`` at 16 connections, of the owner and then of 16
    operators, who cannot share each other's pages.

    The bare limit finds the same rows by the same index, and decodes nothing but BSON.
    """
    system.say(f"inbox list over {size} conversations")
    path = f"/v1/conversations?tab=new&limit={bare.PAGE}"
    asking = system.api("GET", path)
    items = msgspec.json.decode(await fetch(asking, system.gateway))["items"]
    if len(items) != bare.PAGE:
        raise WrongAnswer(f"a page has {len(items)} conversations")
    async with Connections(system.gateway, CONNECTIONS) as connections:
        workers = [one.send for one in connections.each]
        await by_workers(workers, itertools.repeat(asking), seconds=_WARM_UP_S)
        ours = await by_workers(workers, itertools.repeat(asking), seconds=SECONDS)
        others = [system.api("GET", path, token=one) for one in await system.hire(CONNECTIONS)]
        theirs = [
            partial(_repeat, one.send, ask)
            for one, ask in zip(connections.each, others, strict=True)
        ]
        await by_workers(theirs, itertools.count(), seconds=_WARM_UP_S)
        members = await by_workers(theirs, itertools.count(), seconds=SECONDS)
    limit = await bare.find_page(system.servers, CONNECTIONS, SECONDS / 2)
    figures.latencies("inbox", f"_{size}", ours.latencies_s, limit.latencies_s)
    figures.beside(f"inbox_lists_per_s_{size}", ours.per_s, limit.per_s)
    figures.latencies("inbox_of_16_members", f"_{size}", members.latencies_s, limit.latencies_s)


async def _repeat(send: Callable[[bytes], Awaitable[bytes]], asking: bytes, _: int) -> None:
    await send(asking)


async def measure_commands(system: System, figures: Figures, cycles: int) -> None:
    """Take + reply + close, each on a conversation of its own, at 16 connections.

    Then each reply must be at the Bot API's double, once. Errors: WrongAnswer.
    """
    system.say(f"take, reply, close of {cycles} cases")
    new = await system.newest(cycles)
    paths = [f"/v1/conversations/{one['conversation_id']}" for one in new]
    work = [
        (
            system.api("POST", f"{path}/take"),
            system.api("POST", f"{path}/messages", REPLY),
            system.api("POST", f"{path}/close"),
        )
        for path in paths
    ]
    expected = await system.replies_sent() + len(work)

    async def cycle(connection: Connection, requests: tuple[bytes, ...]) -> None:
        for one in requests:
            await connection.send(one)

    async with Connections(system.gateway, CONNECTIONS) as connections:
        ours = await by_workers([partial(cycle, one) for one in connections.each], work)
    # Telegram's limit of 30 messages a second is kept to, so they follow later.
    await until("replies sent", expected, system.replies_sent)
    await system.until_idle()
    if (sent := await system.replies_sent()) != expected:
        raise WrongAnswer(f"{sent} replies were sent, not {expected}")
    records = await bare.inbound_records(system.servers)
    limit = await bare.commands(system.servers, records, len(work), CONNECTIONS)
    figures.beside("take_reply_close_per_s", ours.per_s, limit.per_s)
    figures.latencies("take_reply_close", "", ours.latencies_s, limit.latencies_s)
