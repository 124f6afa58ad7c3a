"""Every question that is asked of the read models goes by an index that is made for it."""

from collections.abc import AsyncIterator
from typing import Any, get_args

import pytest
from msgspec.structs import replace
from pymongo import AsyncMongoClient
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from libs.events.api.filters import ConversationFilter, Sort, Tab
from libs.events.directory import GroupState, MemberState
from libs.runtime.mongo import Document
from tests.support.conversation.explain import indexes_of
from tests.support.conversation.rows import AGENT, OWNER, START, WORKSPACE, Made, state

pytestmark = pytest.mark.servers

LIMITED = replace(AGENT, location_ids=("loc_1", "loc_2"))
ASKED: list[dict[str, Any]] = [
    {},
    {"tag": "vip"},
    {"responsible": "mem_1", "answered": False, "unread": True},
    {"source": "src_1", "group": "grp_1", "active_from": START},
]


class Asked(CommandListener):
    """The queries that were sent."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in ("find", "count", "aggregate"):
            self.commands.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to see."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Shown where it was asked."""


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
async def made(mongodb_url: str, mongodb_name: str, asked: Asked) -> AsyncIterator[Made]:
    client: AsyncMongoClient[Document] = AsyncMongoClient(
        mongodb_url, tz_aware=True, event_listeners=[asked]
    )
    async with client:
        made = Made(client[mongodb_name], GroupState(group_id="grp_1", name="G"))
        await made.begin()
        await made.put(*(state(f"c{n}", START, waiting_since=START) for n in range(60)))
        entries = [
            made.entries.of_content(WORKSPACE, f"m{n}", f"c{n}", 1, START, "возврат денег")
            for n in range(60)
        ]
        await made.index.put(entries)
        asked.commands.clear()
        yield made


async def plans(made: Made, asked: Asked) -> set[str]:
    """The indexes by which everything was found that was asked for since; "none" for a scan."""
    found = set()
    for command in asked.commands:
        if "aggregate" in command:
            match = command["pipeline"][0]["$match"]
            query = {"find": command["aggregate"], "filter": match}
        else:
            kept = ("find", "filter", "sort", "limit", "hint")
            query = {name: command[name] for name in kept if name in command}
        explained = await made.rows.database.command("explain", query)
        found |= indexes_of(explained["queryPlanner"]["winningPlan"])
    asked.commands.clear()
    return found


@pytest.mark.parametrize("viewer", [OWNER, LIMITED], ids=["owner", "limited"])
@pytest.mark.parametrize("tab", get_args(Tab))
async def test_each_list_has_its_index(
    made: Made, asked: Asked, viewer: MemberState, tab: Tab
) -> None:
    sorts: tuple[Sort, ...] = get_args(Sort)
    for sort in sorts:
        for filters in ASKED:
            _, cursor = await made.page(viewer, tab, sort, limit=5, **filters)
            if cursor is not None:
                await made.page(viewer, tab, sort, cursor, limit=5, **filters)
        used = await plans(made, asked)
        allowed = {"lists", "_id_"} | ({"waiting"} if sort == "waiting" else set())
        assert used <= ({"due_in", "_id_"} if tab == "important" else allowed), (sort, used)


async def test_counting_and_searching_have_theirs(made: Made, asked: Asked) -> None:
    # So many more that the index of the ids is the best for the few that a search has found.
    await made.put(*(state(f"d{n}", START, waiting_since=START) for n in range(600)))
    asked.commands.clear()
    await made.inbox().important()
    assert await plans(made, asked) == {"due_in"}
    await made.counts.of(WORKSPACE, OWNER, made.directory)
    assert await plans(made, asked) <= {"lists", "waiting"}
    for query in ("возврат", "деньги возврат", "нет такого", "возвра"):
        assert await made.found(query, ConversationFilter(), limit=5)
    assert await plans(made, asked) <= {"words", "conversation", "_id_"}
