"""The lists of the inbox by filter and order, on rows that are made for them."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.structs import replace

from libs.events.api.filters import ConversationFilter, Tab
from libs.events.content import Channel
from libs.runtime.problems import Invalid
from services.conversation.domain.conversation.state import KnownAs
from services.conversation.read_models.inbox.queries import days_end
from tests.support.conversation.rows import AGENT, LOCATIONS, OWNER, START, Made, state

pytestmark = pytest.mark.servers

MINUTE = timedelta(minutes=1)


async def test_the_longest_waiting_come_first_and_then_those_who_do_not_wait(made: Made) -> None:
    states = []
    for number in range(20):
        waits = START - number * MINUTE if number % 2 else None
        at = START + number * MINUTE
        states.append(state(f"c{number:02}", at, waiting_since=waits))
    await made.put(*states)
    waiting = [f"c{n:02}" for n in range(19, 0, -2)]
    others = [f"c{n:02}" for n in range(18, -1, -2)]
    for limit in (3, 10, 50):
        assert await made.shown(sort="waiting", limit=limit) == waiting + others


async def test_the_most_urgent_come_first(made: Made) -> None:
    levels = ["none", "low", "urgent", "none", "high", "urgent", "normal"]
    await made.put(
        *(state(f"c{n}", START + n * MINUTE, priority=level) for n, level in enumerate(levels))
    )
    expected = ["c5", "c2", "c4", "c6", "c1", "c3", "c0"]
    for limit in (1, 2, 50):
        assert await made.shown(sort="priority", limit=limit) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["a", "b", "c", "d"]),
        ({"tag": "vip"}, ["a", "c"]),
        ({"tag": " VIP"}, ["a", "c"]),
        ({"tag": "vip", "open": True}, ["a"]),
        ({"tag": "vip", "topic": "lbl_t"}, ["c"]),
        ({"status": "lbl_s"}, ["b"]),
        ({"channel": "widget"}, ["d"]),
        ({"source": "src_1"}, ["a", "b", "c"]),
        ({"group": "grp_all"}, ["b"]),
        ({"location": "loc_2"}, ["d"]),
        ({"responsible": "mem_x"}, ["b", "c"]),
        ({"member": "mem_y"}, ["b"]),
        ({"responsible": "mem_y"}, []),
        ({"priority": "high"}, ["a"]),
        ({"priority": "none"}, ["b", "c", "d"]),
        ({"flagged": True}, ["b"]),
        ({"flagged": False, "open": True}, ["a", "d"]),
        ({"unread": True}, ["a", "d"]),
        ({"unread": False}, ["b", "c"]),
        ({"answered": False}, ["a"]),
        ({"answered": True}, ["b", "c", "d"]),
        ({"open": False}, ["c"]),
        ({"active_from": START - 2 * MINUTE, "active_to": START}, ["b", "c"]),
        ({"opened_from": START}, ["a"]),
        # Of several values any will do, and a filter beside them has to hold too.
        ({"channel": ("telegram", "widget")}, ["a", "b", "c", "d"]),
        ({"channel": ("widget", "widget")}, ["d"]),
        ({"source": ("src_1", "src_2"), "unread": True}, ["a", "d"]),
        ({"group": ("grp_all", "grp_2")}, ["b"]),
        ({"tag": ("VIP", "old")}, ["a", "c"]),
        ({"tag": ("old", "nobody"), "topic": ("lbl_t", "lbl_u")}, ["c"]),
        ({"tag": ("vip", "old"), "status": ("lbl_s",)}, []),
        ({"location": ("loc_2", "loc_1")}, ["a", "b", "c", "d"]),
        ({"responsible": ("mem_x", "mem_y")}, ["b", "c"]),
        ({"member": ("mem_y", "mem_z")}, ["b"]),
        ({"priority": ("none", "high")}, ["a", "b", "c", "d"]),
        ({"priority": ("high", "low")}, ["a"]),
        ({"priority": ("none", "low"), "open": True}, ["b", "d"]),
        ({"funnel": ("reached_out", "desire")}, ["a", "b", "c", "d"]),
    ],
)
async def test_each_filter_leaves_what_it_names(
    made: Made, asked: dict[str, Any], expected: list[str]
) -> None:
    await made.put(
        state("a", START, tags=("vip",), priority="high", waiting_since=START, unread=True),
        state(
            "b",
            START - MINUTE,
            state="active",
            group_id="grp_all",
            status="lbl_s",
            responsible="mem_x",
            participants=("mem_y",),
            flagged=True,
        ),
        state(
            "c",
            START - 2 * MINUTE,
            state="done",
            tags=("vip", "old"),
            topics=("lbl_t",),
            responsible="mem_x",
        ),
        state(
            "d",
            START - 3 * MINUTE,
            location_id="loc_2",
            source_id="src_2",
            channel=Channel.WIDGET,
            unread=True,
        ),
    )
    for sort in ("last_message", "waiting", "priority"):
        shown = await made.shown(sort=sort, limit=1, **asked)
        assert sorted(shown) == expected
        if sort == "last_message":
            assert shown == expected


async def test_a_card_of_before_its_tags_had_one_spelling_is_found_by_it(made: Made) -> None:
    known = KnownAs("cus_a", tags=("VIP", "Late Payer", "vip"))
    await made.put(replace(state("a"), known_as=known), state("b"))
    for asked in ("vip", "VIP", "late  payer"):
        assert await made.shown(customer_tag=asked) == ["a"]
    assert await made.shown(customer_tag="late") == []


@pytest.mark.parametrize(
    ("tab", "asked"),
    [
        ("done", {"open": True}),
        *((tab, {"open": False}) for tab in ("new", "mine", "others", "important")),
        ("unread", {"unread": False}),
    ],
)
async def test_a_tab_and_filters_that_exclude_each_other_leave_nothing(
    made: Made, tab: Tab, asked: dict[str, Any]
) -> None:
    await made.put(
        *(state(f"c_{one}", state=one, unread=True, due_at=START) for one in ("new", "done")),
        state("c_mine", state="active", responsible=OWNER.member_id, unread=True),
        state("c_others", state="active", responsible="mem_x", unread=True),
    )
    for sort in ("last_message", "waiting", "priority"):
        assert await made.shown(tab=tab, sort=sort, **asked) == []
    inbox, filters = made.inbox(OWNER), msgspec.convert(asked, ConversationFilter)
    assert await inbox.versions(tab, filters, 10) == []


async def test_unread_has_what_is_unread_wherever_it_is(made: Made) -> None:
    await made.put(
        state("a", unread=True),
        state("b", START - MINUTE, state="done", unread=True),
        state("c", START - 2 * MINUTE),
        state("d", START - 3 * MINUTE, state="routing", unread=True),
    )
    assert await made.shown(tab="unread") == ["a", "b"]
    assert await made.shown(tab="unread", sort="waiting") == ["a", "b"]
    assert await made.shown(tab="unread", open=True) == ["a"]


async def test_important_is_what_is_due_before_the_day_ends_where_the_case_is(made: Made) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    midnight = datetime.combine(
        datetime.now(zone).date() + timedelta(days=1), time(), zone
    ).astimezone(UTC)
    tokyo: dict[str, Any] = {"location_id": "loc_2"}
    await made.put(
        state("overdue", due_at=START),
        state("today", due_at=midnight - MINUTE, state="active", **tokyo),
        state("tomorrow", due_at=midnight, **tokyo),
        state("done", due_at=START, state="done"),
        state("other"),
    )
    for limit in (1, 50):
        assert await made.shown(tab="important", limit=limit) == ["overdue", "today"]
    assert await made.inbox().important() == 2
    limited = replace(AGENT, location_ids=("loc_2",))
    assert await made.shown(limited, tab="important") == ["today"]
    assert await made.inbox(limited).important() == 1


def test_a_day_ends_where_it_ends() -> None:
    now = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
    locations = {one.location_id: one for one in LOCATIONS}
    assert days_end(locations, now) == {
        datetime(2026, 11, 23, 22, tzinfo=UTC): ["loc_0"],
        datetime(2026, 11, 23, tzinfo=UTC): ["loc_1"],
        datetime(2026, 11, 23, 15, tzinfo=UTC): ["loc_2"],
    }


@pytest.mark.parametrize("sort", ["last_message", "waiting", "priority"])
@pytest.mark.parametrize("locations", [(), ("loc_1",), ("loc_1", "loc_2"), tuple("abcdefghij")])
async def test_a_member_sees_their_part_in_every_order(
    made: Made, sort: str, locations: tuple[str, ...]
) -> None:
    member = replace(AGENT, location_ids=locations)
    visible, states = [], []
    for number in range(24):
        location = f"loc_{number % 3}"
        group = (None, "grp_all", "grp_closed", "grp_gone")[number % 4]
        own = number % 5 == 0
        people: dict[str, Any] = {}
        if own:
            people = {"responsible": "mem_x", "participants": (AGENT.member_id,)}
        case_state = "active" if own else "new"
        name = f"c{number:02}"
        at = START - number * MINUTE
        states.append(
            state(name, at, state=case_state, location_id=location, group_id=group, **people)
        )
        there = (not locations or location in locations) and group in (None, "grp_all")
        if own or there:
            visible.append(name)
    await made.put(*states)
    for limit in (7, 50):
        assert await made.shown(member, sort=sort, limit=limit) == visible
    own_ones = [name for name in visible if int(name[1:]) % 5 == 0]
    assert await made.shown(member, tab="mine", sort=sort) == own_ones
    assert await made.shown(member, tab="others", sort=sort) == []


async def test_a_cursor_belongs_to_its_order(made: Made) -> None:
    await made.put(state("a"), state("b"), state("c"))
    _, cursor = await made.page(sort="waiting", limit=1)
    for sort in ("last_message", "priority"):
        with pytest.raises(Invalid):
            await made.page(sort=sort, cursor=cursor)
