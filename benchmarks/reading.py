"""How the conversation service is read: pages of the tabs, searches, read models rebuilt.

    python -m benchmarks.reading [CONVERSATIONS]

Conversations of ten messages each are put into the store as they would have got there
(``archive.py``): some with their commits, of which the read models are rebuilt; then the rows of
all. Sixteen connections, each another member's, ask the service alone, without a pause. A member
goes through the tabs, two pages of each; a search is one that nobody has asked before.
"""

import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
import uvloop
from pymongo.asynchronous.database import AsyncDatabase

from benchmarks import bare, texts
from benchmarks.alone import Alone, alone, started_alone
from benchmarks.archive import FIRST_NUMBER, TAGS, Archive, Desks
from benchmarks.desk import CONNECTIONS
from benchmarks.figures import Figures, table
from benchmarks.load import Measured, by_workers
from benchmarks.wire import Connection, Connections, WrongAnswer, fetch
from libs.events.directory import LocationState, MemberState, Role
from libs.events.ids import random_id
from libs.runtime.mongo import Document, mongo_client
from libs.runtime.settings import SealedStoreSettings, key_bytes, load
from services.conversation.read_models.rebuild.rebuild import rebuild
from services.conversation.read_models.rebuild.registry import read_models
from services.conversation.read_models.search.words import word_forms

SIZE: Final = 4_000
LARGE: Final = 100_000
_REBUILT: Final = 1_000
_SECONDS: Final = 6.0
_WARM_UP_S: Final = 3.0
_BARE_S: Final = 2.0
_KNOWN_WITHIN_S: Final = 20.0
_POLL_S: Final = 0.1
_TABS: Final = ("tab=new", "tab=mine", "tab=others", "tab=done", "tab=important", "tab=unread")
_FILTERED: Final = (
    *("tab=new&sort=waiting", "tab=all&sort=priority", "tab=new&answered=false"),
    *("tab=all&tag=vip", "tab=done&priority=high", "tab=all&unread=true&channel=telegram"),
)

type _Ask = Callable[[int], Awaitable[None]]


class _Page(msgspec.Struct):
    """What is looked at of an answer."""

    next: str | None = None


_next_of: Final = msgspec.json.Decoder(_Page).decode


def measure(conversations: int, figures: Figures, say: Callable[[str], None]) -> None:
    """``rebuild_events_per_s``, ``tab_p99_ms_…``, ``search_p99_ms_…``, on servers of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as folder,
        started_alone(Path(folder), say) as (stack, suite),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):

        async def measured() -> None:
            async with alone(stack, suite, say) as world, _database(world) as database:
                desks = await _staffed(world)
                archive = Archive(database, _key(world), desks, datetime.now(UTC))
                # Number 0 wrote when the service was begun with.
                events = await archive.write_all(range(1, _REBUILT))
                await measure_rebuild(world, database, events, figures)
                world.say(f"rows of {conversations} conversations")
                await archive.write_rows(range(_REBUILT, conversations))
                await measure_pages(world, desks, figures, conversations)

        runner.run(measured())


async def measure_rebuild(
    world: Alone, database: AsyncDatabase[Document], events: int, figures: Figures
) -> None:
    """Events a second of each read model's rebuild, from the first commit read to the last row
    compared. ``rebuild_events_per_s`` is the inbox's; the bare driver reads the same commits."""
    key = _key(world)
    # The dictionaries are read once, when a process first needs them.
    word_forms().of("слово")
    for name, model in read_models(key).items():
        world.say(f"rebuilding {name} of {events} events")
        began = time.perf_counter()
        rebuilt = await rebuild(database, key, model())
        took = time.perf_counter() - began
        if rebuilt.replaced or rebuilt.removed or rebuilt.events < events:
            raise ValueError(f"the rebuilt {name} is not what was written: {rebuilt}")
        figure = "rebuild_events_per_s" if name == "inbox" else f"rebuild_{name}_events_per_s"
        limit = await bare.read_commits(world.servers)
        figures.beside(figure, rebuilt.events / took, rebuilt.events / limit)


async def measure_pages(world: Alone, desks: Desks, figures: Figures, conversations: int) -> None:
    """Pages of the tabs, of filtered and sorted lists, and of searches. The bare driver finds as
    many rows by the same indexes."""
    size = f"{conversations // 1000}k"
    page = await bare.find_page(world.servers, CONNECTIONS, _BARE_S)
    words = await bare.find_words(world.servers, CONNECTIONS, _BARE_S)
    members = [world.member_id, *desks.member_ids]
    for name, lists in (("tab", _TABS), ("filtered_tab", _FILTERED)):
        world.say(f"{name}s over {size} conversations")
        pages = [partial(_paging, world, world.token(one), lists) for one in members]
        measured = await _asked(world, pages)
        figures.latencies(name, f"_{size}", measured.latencies_s, page.latencies_s)
        figures.beside(f"{name}_pages_per_s_{size}", measured.per_s, page.per_s)
    world.say(f"searches over {size} conversations")
    queries = _queries(conversations)
    searches = [partial(_searching, world, world.token(one), queries) for one in members]
    measured = await _asked(world, searches)
    figures.latencies("search", f"_{size}", measured.latencies_s, words.latencies_s)
    figures.beside(f"searches_per_s_{size}", measured.per_s, words.per_s)


async def _asked(world: Alone, asking: Sequence[Callable[[Connection], _Ask]]) -> Measured:
    async with Connections(world.url, len(asking)) as connections:
        workers = [ask(one) for ask, one in zip(asking, connections.each, strict=True)]
        await by_workers(workers, itertools.count(), seconds=_WARM_UP_S)
        return await by_workers(workers, itertools.count(), seconds=_SECONDS)


def _paging(world: Alone, token: str, lists: Sequence[str], connection: Connection) -> _Ask:
    """A first page, then the one after it, list after list."""
    paths = itertools.cycle(f"/v1/conversations?limit={bare.PAGE}&{one}" for one in lists)
    path, cursor = next(paths), ""

    async def ask(_: int) -> None:
        nonlocal path, cursor
        answer = await connection.send(world.api("GET", path + cursor, token=token))
        following = None if cursor else _next_of(answer).next
        path, cursor = (path, f"&cursor={following}") if following else (next(paths), "")

    return ask


def _searching(world: Alone, token: str, queries: Iterator[str], connection: Connection) -> _Ask:
    async def ask(_: int) -> None:
        path = f"/v1/conversations?limit={bare.PAGE}&q={quote(next(queries))}"
        await connection.send(world.api("GET", path, token=token))

    return ask


def _queries(conversations: int) -> Iterator[str]:
    """What people look for: words, also unfinished ones, names, contacts, tags and numbers."""
    chance = random.Random(4)
    written = texts.Texts(5)

    def somebody() -> int:
        return chance.randrange(conversations)

    def word() -> str:
        return written.word(written.language())

    def two_words() -> str:
        language = written.language()
        return f"{written.word(language)} {written.word(language)}"

    kinds: tuple[Callable[[], str], ...] = (
        *(word, word, two_words, lambda: word()[: chance.randrange(3, 8)]),
        *(lambda: texts.name(somebody()), lambda: texts.name(somebody()).split()[1]),
        *(lambda: texts.name(somebody()).split()[0], lambda: texts.name(somebody())[:-3]),
        lambda: f"{texts.name(somebody()).split()[0]} {word()}",
        *(lambda: texts.phone(somebody() // 5 * 5), lambda: texts.phone(somebody() // 5 * 5)[-7:]),
        *(lambda: texts.email(somebody() // 10 * 10), lambda: f"#{FIRST_NUMBER + somebody()}"),
        lambda: f"{chance.choice(TAGS)} {word()}",
    )
    for kind in itertools.cycle(kinds):
        yield kind()


async def _staffed(world: Alone) -> Desks:
    """As many members as there are connections, at three locations; some see all of them."""
    locations = [
        LocationState(location_id=random_id("loc"), name=one) for one in ("North", "South")
    ]
    location_ids = [world.location_id, *(one.location_id for one in locations)]
    members = [
        MemberState(
            member_id=random_id("mbr"),
            name=f"Agent {number}",
            email=f"agent-{number}@example.com",
            role=Role.ADMIN if number % 8 == 0 else Role.OPERATOR,
            location_ids=tuple(location_ids[: number % 4 or 3]) if number % 8 else (),
        )
        for number in range(1, CONNECTIONS)
    ]
    await world.tell([(one, one.location_id) for one in locations])
    await world.tell([(one, one.member_id) for one in members])
    member_ids = [one.member_id for one in members]
    for member_id in member_ids:
        await _known(world, member_id)
    return Desks(world.workspace_id, [world.source_id], location_ids, member_ids)


async def _known(world: Alone, member_id: str) -> None:
    """Wait until the service has been told of the member. Errors: TimeoutError."""
    asking = world.api("GET", "/v1/conversations", token=world.token(member_id))
    async with asyncio.timeout(_KNOWN_WITHIN_S):
        while True:
            try:
                await fetch(asking, world.url)
            except WrongAnswer:
                await asyncio.sleep(_POLL_S)
            else:
                return


def _settings(world: Alone) -> SealedStoreSettings:
    return load(SealedStoreSettings, world.suite.settings)


def _key(world: Alone) -> bytes:
    return key_bytes(_settings(world).deployment_key)


@asynccontextmanager
async def _database(world: Alone) -> AsyncIterator[AsyncDatabase[Document]]:
    settings = _settings(world)
    async with mongo_client(settings.mongodb_url.get_secret_value(), "benchmark") as client:
        yield client[settings.mongodb_database]


def main() -> None:
    figures = Figures()
    conversations = int(sys.argv[1]) if len(sys.argv) > 1 else LARGE
    measure(conversations, figures, lambda what: print(what, flush=True))
    print(f"\n{table(figures.values)}")


if __name__ == "__main__":
    main()
