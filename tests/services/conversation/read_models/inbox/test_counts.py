"""The tabs' counts are those of the tabs, for each member, whatever happened in which order."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.events.api.filters import Tab
from libs.events.directory import GroupState, Role
from libs.runtime.kafka import outgoing
from services.conversation.read_models.inbox.counts import _Where, _Workspace
from tests.support.conversation.rows import AGENT, OWNER, START, Made, state
from tests.support.conversation.steps import a_case, customer_of, done
from tests.support.conversation.world import World, serving
from tests.support.eventually import eventually
from tests.support.kafka import envelope, of_newer_version

pytestmark = pytest.mark.servers

LIMITED = replace(AGENT, member_id="mem_limited", location_ids=("loc_2",))
VIEWERS = (OWNER, AGENT, LIMITED)


def some_states() -> list[Any]:
    states = []
    for number in range(90):
        people: dict[str, Any] = {}
        if number % 4:
            people = {
                "responsible": f"mem_{('agent', 'limited', 'x')[number % 3]}",
                "participants": ("mem_agent",) if number % 3 == 2 else (),
            }
        states.append(
            state(
                f"c{number}",
                START + number * timedelta(minutes=1),
                state=("new", "active", "active", "done", "routing")[number % 5],
                location_id=f"loc_{number % 3}",
                group_id=(None, "grp_all", "grp_closed")[number // 9 % 3],
                unread=number % 2 == 0,
                due_at=START if number % 7 == 0 else None,
                **people,
            )
        )
    return states


async def test_the_counts_are_those_of_the_lists(made: Made) -> None:
    await made.put(*some_states())
    for viewer in VIEWERS:
        due = await made.inbox(viewer).important()
        counts = await made.counts.of("wsp_1", viewer, made.directory, due)
        for tab in get_args(Tab):
            assert getattr(counts, tab) == len(await made.shown(viewer, tab)), (viewer, tab)
    other = await made.counts.of("wsp_other", OWNER, made.directory)
    assert {getattr(other, tab) for tab in get_args(Tab)} == {0}


async def test_what_is_written_counts_at_once_and_only_the_newest(made: Made) -> None:
    await made.put(state("a"), state("b", unread=True))
    before = await made.counts.of("wsp_1", OWNER, made.directory)
    assert (before.new, before.unread, before.all) == (2, 1, 2)
    taken = state("a", state="active", responsible=OWNER.member_id)
    made.counts.wrote({"a": Snapshot(5, START, taken), "z": Snapshot(1, START, state("z"))})
    made.counts.wrote({"a": Snapshot(4, START, state("a"))})
    after = await made.counts.of("wsp_1", OWNER, made.directory)
    assert (after.new, after.mine, after.others, after.all) == (2, 1, 0, 3)


async def test_what_only_a_newer_version_can_read_is_counted_by_its_row(made: Made) -> None:
    async def counts() -> tuple[int, int]:
        counted = await made.counts.of("wsp_1", OWNER, made.directory)
        return counted.new, counted.done

    await made.put(state("a"), state("b"))
    assert await counts() == (2, 0)
    # given a row that a newer version wrote, and then its event
    await made.put(state("a", state="done"))
    group = GroupState(group_id="grp_1", name="Any body at all")
    newer = of_newer_version(outgoing(envelope(group, "a", "wsp_1", 2)))
    record = SimpleNamespace(key=newer.key, headers=newer.headers, value=newer.value)
    made.counts.take(cast("ConsumerRecord[bytes, bytes]", record))
    assert await counts() == (1, 1)
    # and what is known already is not looked for again
    made.counts.take(cast("ConsumerRecord[bytes, bytes]", record))
    assert made.counts._workspaces["wsp_1"].unclear == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [("ce_sequence", b"seven"), ("ce_subject", b"\xff"), ("ce_workspace", b"\xff")],
)
async def test_a_malformed_event_does_not_stop_the_counting(
    made: Made, name: str, value: bytes
) -> None:
    await made.put(state("a"))
    assert (await made.counts.of("wsp_1", OWNER, made.directory)).new == 1
    event = outgoing(envelope(GroupState(group_id="grp_1", name="x"), "a", "wsp_1", 2))
    headers = [(one, value if one == name else said) for one, said in event.headers]
    record = SimpleNamespace(key=event.key, headers=headers, value=event.value)
    made.counts.take(cast("ConsumerRecord[bytes, bytes]", record))
    assert (await made.counts.of("wsp_1", OWNER, made.directory)).new == 1


WHERE = st.builds(
    _Where,
    st.sampled_from(["routing", "new", "active", "done"]),
    st.booleans(),
    st.sampled_from(["loc_1", "loc_2"]),
    st.sampled_from([None, "grp_all"]),
    st.sampled_from([(), ("mem_agent",), ("mem_x", "mem_agent")]),
)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6), WHERE), max_size=40),
    st.randoms(),
)
def test_the_order_in_which_versions_are_seen_does_not_matter(
    seen: list[tuple[str, int, _Where]], random: Any
) -> None:
    # given one state for each version of a conversation, seen in two orders, some more than once
    facts = {(name, version): where for name, version, where in seen}
    orders = [list(facts.items()), [*facts.items(), *facts.items()]]
    random.shuffle(orders[1])
    results = []
    for order in orders:
        workspace = _Workspace()
        for (name, version), where in order:
            workspace.put(name, version, where)
        results.append((workspace._all, workspace._of))
    newest = {name: max(v for n, v in facts if n == name) for name, _ in facts}
    expected = _Workspace()
    for name, version in newest.items():
        expected.put(name, version, facts[name, version])
    for counted, of in results:
        assert counted == expected._all
        assert {member: own for member, own in of.items() if own} == expected._of


@dataclass(frozen=True)
class Replicas:
    """Two of one workspace, and an owner who asks both."""

    one: World
    other: World
    owner: str

    async def counts(self) -> list[Any]:
        """As each of the two answers."""
        asked = "GET", "/v1/conversations/counts"
        return [(await world.call(self.owner, *asked)).body for world in (self.one, self.other)]


@pytest.fixture
async def replicas(world: World) -> AsyncIterator[Replicas]:
    owner = await world.member("Dima", Role.OWNER)
    other = World(
        world.bootstrap,
        world.namespace,
        world.publisher,
        world.settings,
        world.workspace_id,
        world.location_id,
        world.source_id,
    )
    async with serving(world), serving(other):
        await world.settled()
        await other.settled()
        yield Replicas(world, other, owner)


async def test_two_replicas_agree(replicas: Replicas) -> None:
    world, dima = replicas.one, replicas.owner
    assert [counts["new"] for counts in await replicas.counts()] == [0, 0]
    await world.receive(*(world.inbound(str(n), 1) for n in range(10)))
    taken = world.conversation_id("3")
    await world.seen(dima, taken)
    # the own effect at once
    await world.call(dima, "POST", f"/v1/conversations/{taken}/take")
    assert (await replicas.counts())[0]["mine"] == 1

    async def agreed() -> bool:
        wanted = {"new": 9, "mine": 1, "others": 0, "done": 0, "all": 10, "unread": 10}
        wanted["important"] = 0
        return bool(await replicas.counts() == [wanted, wanted])

    await eventually(agreed)


async def test_two_replicas_agree_on_what_a_blocked_customer_wrote_first(
    replicas: Replicas,
) -> None:
    """A thread that begins with it has no case, and stands among those done."""
    world, dima = replicas.one, replicas.owner
    await done(await world.call(dima, "POST", f"{await a_case(world, dima, '1')}/block"))
    assert [counts["done"] for counts in await replicas.counts()] == [0, 0]
    # Replicas look for the blocked each second.
    await asyncio.sleep(1.5)
    again = replace(world.inbound("2", 1), customer_id=customer_of(world, "1"))
    await world.receive(again)

    async def agreed() -> bool:
        return [counts["done"] for counts in await replicas.counts()] == [1, 1]

    await eventually(agreed)
