"""From Telegram's webhook: how many are accepted, and how many reach the read model."""

import time
from functools import partial
from itertools import islice
from typing import Final

import msgspec

from benchmarks import bare
from benchmarks.figures import Figures
from benchmarks.load import by_workers
from benchmarks.system import System
from benchmarks.usage import Usage, spent
from benchmarks.wire import Connection, Connections, WrongAnswer

CONNECTIONS: Final = (1, 16, 64)
SECONDS: Final = 5.0
# What one connection sends before the measurement, so that nobody's first time is measured.
WARM_UP: Final = 200
SUSTAINED_CONNECTIONS: Final = 16
_READERS: Final = 4
_APART_S: Final = 10


async def measure_accepts(system: System, figures: Figures, chats: range) -> None:
    """Accepts a second and latencies; the bare limit produces the same messages to Kafka."""
    for n in CONNECTIONS:
        system.say(f"webhooks at {n} connections")
        before = await system.projected()
        # More than can be sent in the time, made before it begins: the load must cost little.
        ready = list(system.updates.over(chats, int(SECONDS * 4000)))
        async with Connections(system.webhook_url, n) as connections:
            workers = [one.send for one in connections.each]
            await by_workers(workers[:1], ready[:WARM_UP])
            ours = await by_workers(workers, islice(ready, WARM_UP, None), seconds=SECONDS)
        await system.until_projected(before + WARM_UP + len(ours.latencies_s))
        await system.until_idle()
        records = await bare.inbound_records(system.servers)
        limit = await bare.produce(system.servers, records, n, SECONDS / 2)
        figures.beside(f"webhook_accepts_per_s_at_{n}", ours.per_s, limit.per_s)
        figures.latencies("webhook", f"_at_{n}", ours.latencies_s, limit.latencies_s)
    most = max(CONNECTIONS)
    for name in ("accepts_per_s", "p50_ms", "p95_ms", "p99_ms"):
        figures.alias(f"webhook_{name}", f"webhook_{name}_at_{most}")


async def measure_sustained(
    system: System, figures: Figures, chats: range, messages: int
) -> dict[str, Usage]:
    """Messages a second from the first POST until the last is in the read model.

    What each process spent meanwhile is returned. The bare limit inserts documents of the size
    of the commits, 500 at once.
    """
    system.say(f"{messages} messages over {len(chats)} conversations")
    ready = list(system.updates.over(chats, messages))
    before_projected, before_usage = await system.projected(), system.usage()
    began = time.perf_counter()
    async with Connections(system.webhook_url, SUSTAINED_CONNECTIONS) as connections:
        accepted = await by_workers([one.send for one in connections.each], ready)
    await system.until_projected(before_projected + messages)
    seconds = time.perf_counter() - began
    used = spent(before_usage, system.usage())
    limit = await bare.insert_many(system.servers, messages)
    figures.beside("sustained_messages_per_s", messages / seconds, limit)
    figures.put("sustained_accepts_per_s", accepted.per_s)
    began_idle = time.perf_counter()
    await system.until_idle()
    figures.put("sustained_s_until_all_services_idle", time.perf_counter() - began_idle)
    await _nothing_is_missing(system, chats, messages)
    return used


async def fill(system: System, chats: range) -> float:
    """One message in each of the chats; conversations a second until all are in the inbox.

    Their customers wrote 10 s apart: as many in one second, which is the precision of Telegram's
    times, would be a load that no inbox meets and SecantusDB sorts slowly.
    """
    system.say(f"{len(chats)} new conversations")
    before = await system.projected()
    ready = (system.updates.to(chat, seconds_ago=_APART_S * (chats.stop - chat)) for chat in chats)
    began = time.perf_counter()
    async with Connections(system.webhook_url, SUSTAINED_CONNECTIONS) as connections:
        await by_workers([one.send for one in connections.each], ready)
    await system.until_projected(before + len(chats))
    seconds = time.perf_counter() - began
    await system.until_idle()
    return len(chats) / seconds


async def _nothing_is_missing(system: System, chats: range, messages: int) -> None:
    """Each chat's whole timeline through the API; nobody wrote later. Errors: WrongAnswer."""
    system.say("looking for every message through the API")
    asking = [
        system.api("GET", f"/v1/conversations/{one['conversation_id']}/timeline?limit=200")
        for one in await system.newest(len(chats))
    ]
    found = 0

    async def count(connection: Connection, sent: bytes) -> None:
        nonlocal found
        items = msgspec.json.decode(await connection.send(sent))["items"]
        found += sum(item["kind"] == "message" for item in items)

    async with Connections(system.gateway, _READERS) as connections:
        await by_workers([partial(count, one) for one in connections.each], asking)
    if found != messages:
        raise WrongAnswer(f"{found} of {messages} messages are in their timelines")
