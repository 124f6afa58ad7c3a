"""What happened, projected in any order and any number of times, equals a plain recount."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from libs.events.api.figures import By, Summary
from libs.events.content import Content
from libs.events.conversation.case import ConversationEvent
from libs.events.conversation.message import MessageDeliveryChanged
from libs.events.envelope import Envelope
from libs.events.registry import Body
from libs.events.visibility import Sight
from services.analytics.consumers import Projection
from services.analytics.facts import facts_of
from services.analytics.periods import Period
from services.analytics.reports import Reports
from services.analytics.warehouse import Warehouse
from tests.support.analytics.projected import ALL, DAY, UTC_ZONE, project, workspace
from tests.support.analytics.stories import (
    START,
    Recount,
    Story,
    average,
    quantile,
    received,
)

MEMBERS = ("mem_a", "mem_b")


async def test_one_case_shows_with_its_times(warehouse: Warehouse) -> None:
    story = Story(workspace()).writes(0).takes("mem_a", 1).answers("mem_a", 2).closes("mem_a", 60)

    reports = await project(warehouse, story)

    made = await reports.summary(story.workspace, DAY, ALL, UTC_ZONE)
    assert (made.all.value, made.closed.value, made.open.value) == (1, 1, 0)
    assert made.time_to_respond.average.text == "3m 00s"
    assert made.time_to_close.average.text == "1h 03m"
    assert made.response_rate_by_cases.text == "100 %"
    assert made.time_to_close.average.previous_seconds is None


async def test_a_case_reopened_by_hand_has_one_time_to_close_its_last(warehouse: Warehouse) -> None:
    story = Story(workspace()).writes(0).takes("mem_a").closes("mem_a").reopens("mem_a", 60)

    reports = await project(warehouse, story)
    while_open = await reports.summary(story.workspace, DAY, ALL, UTC_ZONE)
    await project(warehouse, story.closes("mem_a", 58))
    closed = await reports.summary(story.workspace, DAY, ALL, UTC_ZONE)

    assert while_open.time_to_close.measured == 0
    assert while_open.time_to_close.average.seconds is None
    assert closed.time_to_close.measured == 1
    assert closed.time_to_close.average.text == "2h 00m"


async def test_closing_ends_a_wait(warehouse: Warehouse) -> None:
    weeks = 21 * 24 * 60
    story = Story(workspace()).writes(0).takes("mem_a").closes("mem_a").reopens("mem_a", weeks)
    reopened = await (await project(warehouse, story)).summary(story.workspace, DAY, ALL, UTC_ZONE)
    assert (reopened.unresponded.value, reopened.responded.value) == (0, 0)

    late = Period(START, START + timedelta(days=30))
    answered = await project(warehouse, story.writes(1).answers("mem_a", 0.05))
    made = await answered.summary(story.workspace, late, ALL, UTC_ZONE)
    assert made.time_to_respond.average.text == "3s"
    assert (made.response_rate_by_turns.part, made.response_rate_by_turns.whole) == (1, 2)


async def test_a_message_after_done_starts_both_timers_from_zero(warehouse: Warehouse) -> None:
    story = Story(workspace()).writes(0).takes("mem_a").answers("mem_a").closes("mem_a")
    story.writes(600).takes("mem_a").answers("mem_a", 4).closes("mem_a")

    made = await (await project(warehouse, story)).summary(story.workspace, DAY, ALL, UTC_ZONE)

    assert made.all.value == 2
    assert made.time_to_respond.average.seconds == (120 + 300) / 2
    assert made.time_to_close.average.seconds == (180 + 360) / 2


async def test_open_and_closed_are_the_states_at_the_end_of_the_period(
    warehouse: Warehouse,
) -> None:
    story = Story(workspace()).writes(0).takes("mem_a").closes("mem_a", 60 * 30).reopens("mem_a")

    reports = await project(warehouse, story)

    first_day = await reports.summary(story.workspace, DAY, ALL, UTC_ZONE)
    until_done = await reports.summary(
        story.workspace,
        Period(START, START + timedelta(minutes=60 * 30 + 1, seconds=1)),
        ALL,
        UTC_ZONE,
    )
    assert (first_day.open.value, first_day.closed.value) == (1, 0)
    assert (until_done.open.value, until_done.closed.value) == (0, 1)


async def test_a_turn_is_of_the_one_responsible_when_it_was_answered_or_now(
    warehouse: Warehouse,
) -> None:
    # mem_b answers in mem_a's case as a participant, then the customer waits again.
    story = Story(workspace()).writes(0).takes("mem_a").answers("mem_b", 9).writes()

    made = await (await project(warehouse, story)).performance("member", story.workspace, DAY, ALL)

    rows = {row.key: row for row in made.items}
    assert rows["mem_a"].response_rate.text == "50 %"
    assert rows["mem_a"].time_to_respond.measured == 0
    assert rows["mem_b"].time_to_respond.average.text == "10m 00s"
    assert rows["mem_b"].response_rate.value is None


async def test_a_case_that_changed_hands_is_of_who_has_it_now_and_its_timers_run_on(
    warehouse: Warehouse,
) -> None:
    story = Story(workspace()).writes(0).takes("mem_a", 2).unassigns("mem_a", 3)
    nobodys = await (await project(warehouse, story)).summary(story.workspace, DAY, ALL, UTC_ZONE)
    story.assigns("mem_b", 5).answers("mem_b", 10).closes("mem_b", 10)
    made = await (await project(warehouse, story)).performance("member", story.workspace, DAY, ALL)

    assert (nobodys.assigned.value, nobodys.open.value) == (0, 1)
    [row] = made.items
    assert (row.key, row.assigned, row.closed) == ("mem_b", 1, 1)
    assert row.response_rate.text == "100 %"
    assert row.time_to_respond.average.text == "20m 00s"
    assert row.time_to_close.average.text == "30m 00s"


async def test_a_case_closed_without_an_answer_is_neither_responded_nor_unresponded(
    warehouse: Warehouse,
) -> None:
    story = Story(workspace()).writes(0).takes("mem_a").closes("mem_a")

    made = await (await project(warehouse, story)).summary(story.workspace, DAY, ALL, UTC_ZONE)

    assert (made.all.value, made.responded.value, made.unresponded.value) == (1, 0, 0)
    assert made.response_rate_by_turns.text == "0 %"


@pytest.mark.parametrize("by", ["source", "channel", "group", "location"])
async def test_performance_can_be_broken_down(warehouse: Warehouse, by: Any) -> None:
    name = workspace()
    one = Story(name, "a", "src_a").writes(0).takes("mem_a").answers("mem_a")
    two = Story(name, "b", "src_b").writes(0)

    made = await (await project(warehouse, one, two)).performance(by, name, DAY, ALL)

    found = {row.key: (row.all, row.response_rate.text) for row in made.items}
    expected = {
        "source": {"src_a": (1, "100 %"), "src_b": (1, "0 %")},
        "channel": {"telegram": (2, "50 %")},
        "group": {None: (2, "50 %")},
        "location": {"loc_a": (2, "50 %")},
    }
    assert found == expected[by]


async def test_workspaces_do_not_meet(warehouse: Warehouse) -> None:
    story = Story(workspace()).writes(0)

    made = await (await project(warehouse, story)).summary(workspace(), DAY, ALL, UTC_ZONE)

    assert made.all.value == 0


async def test_an_event_that_is_not_of_a_case_tells_nothing(warehouse: Warehouse) -> None:
    story = Story(workspace()).writes(0)
    moved = MessageDeliveryChanged(
        conversation_id="c", case_id="k", message_id="m", state="sent", recorded_at=START
    )
    story.events.append(_with_body(story.events[-1], moved))

    made = await (await project(warehouse, story)).summary(story.workspace, DAY, ALL, UTC_ZONE)

    assert made.all.value == 1


async def test_a_time_that_cannot_be_kept_is_refused_and_the_rest_goes_on(
    warehouse: Warehouse,
) -> None:
    story = Story(workspace()).writes(0)
    bad = Story(story.workspace, "bad")
    bad.now = START.replace(year=1500)
    bad.writes(0)

    refused = await Projection(warehouse).apply(received([*bad.events, *story.events]))

    assert [one.received.envelope for one in refused] == bad.events
    made = await Reports(warehouse).summary(story.workspace, DAY, ALL, UTC_ZONE)
    assert made.all.value == 1


async def test_nothing_a_customer_wrote_is_kept(warehouse: Warehouse) -> None:
    story = Story(workspace()).writes(0).takes("mem_a").answers("mem_a").closes("mem_a")
    await project(warehouse, story)

    for table in ("case_versions", "case_states", "customer_turns", "team_responses"):
        rows = await warehouse.rows(f"SELECT * FROM {table}")  # noqa: S608  # the names above
        assert rows
        assert Content(text="do not keep me").text not in str(rows)


STEPS = (
    *("writes", "writes", "takes", "answers", "answers", "closes", "reopens"),
    *("assigns", "unassigns"),
)
step = st.tuples(
    st.sampled_from(STEPS),
    st.sampled_from(MEMBERS),
    st.integers(min_value=0, max_value=500),
)


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(st.lists(step, min_size=1, max_size=14), min_size=1, max_size=4),
    seed=st.integers(min_value=0, max_value=2**32),
)
async def test_any_history_repeated_and_out_of_order_equals_a_recount(
    warehouse: Warehouse, steps: list[list[tuple[str, str, int]]], seed: int
) -> None:
    name = workspace()
    stories = [_played(name, str(i), one) for i, one in enumerate(steps)]
    random = Random(seed)  # noqa: S311  # Hypothesis chooses the seed
    events = [event for story in stories for event in story.events]
    events += random.sample(events, k=len(events) // 2)
    random.shuffle(events)
    cut = random.randint(0, len(events))

    projection = Projection(warehouse)
    first, second = received(events[:cut]), received(events[cut:])
    for part in (first, second, first, second[: cut // 2]):
        await projection.apply(part)

    reports = Reports(warehouse)
    made = await reports.summary(name, DAY, ALL, UTC_ZONE)
    _equal(made, Recount.of(stories, DAY.start, DAY.end))
    before = Recount.of(stories, START - timedelta(days=1), START)
    assert made.all.previous == before.all
    rows = {row.key: row for row in (await reports.performance("member", name, DAY, ALL)).items}
    for member in MEMBERS:
        counted = Recount.of(stories, DAY.start, DAY.end, member)
        if member not in rows:
            assert (counted.all, counted.turns, counted.to_respond) == (0, 0, [])
            continue
        row = rows[member]
        assert (row.all, row.responded, row.unresponded) == (
            counted.all,
            counted.responded,
            counted.unresponded,
        )
        assert (row.response_rate.part, row.response_rate.whole) == (
            counted.answered,
            counted.turns,
        )
        assert row.time_to_respond.average.seconds == pytest.approx(average(counted.to_respond))
        assert row.time_to_close.average.seconds == pytest.approx(average(counted.to_close))


def _equal(made: Summary, counted: Recount) -> None:
    for figure in ("all", "responded", "unresponded", "assigned", "open", "closed"):
        assert getattr(made, figure).value == getattr(counted, figure), figure
    by_turns = made.response_rate_by_turns
    assert (by_turns.part, by_turns.whole) == (counted.answered, counted.turns)
    for times, values in (
        (made.time_to_respond, counted.to_respond),
        (made.time_to_close, counted.to_close),
    ):
        assert times.measured == len(values)
        assert times.average.seconds == pytest.approx(average(values))
        assert times.median.seconds == pytest.approx(quantile(values, 0.5))
        assert times.p90.seconds == pytest.approx(quantile(values, 0.9))


def _played(name: str, conversation: str, steps: list[tuple[str, str, int]]) -> Story:
    story = Story(name, conversation).writes(0)
    for what, member, minutes in steps:
        if what == "writes":
            story.writes(minutes)
        else:
            getattr(story, what)(member, minutes)
    return story


def _with_body(envelope: Envelope, body: Body) -> Envelope:
    return replace(envelope, body=body)


def test_a_conversation_that_has_no_case_yet_is_counted_nowhere() -> None:
    [first, *_] = Story(workspace()).writes(0).events
    assert isinstance(first.body, ConversationEvent)
    case = structs.replace(first.body.case, withheld=True)
    withheld = replace(first, body=structs.replace(first.body, case=case))
    assert facts_of(first)
    assert facts_of(withheld) == []


async def test_figures_are_of_the_locations_and_groups_in_sight(warehouse: Warehouse) -> None:
    name = workspace()
    stories = [
        Story(name, "a").at("loc_kyiv", None),
        Story(name, "b").at("loc_kyiv", "grp_1"),
        Story(name, "c").at("loc_kyiv", "grp_2"),
        Story(name, "d").at("loc_lviv", "grp_1"),
    ]
    for story in stories:
        story.writes(0).takes("mem_a").answers("mem_a").writes().answers("mem_a").closes("mem_a")
    reports = await project(warehouse, *stories)
    for sight, cases in (
        (ALL, 4),
        (Sight(None, ("grp_1",)), 3),
        (Sight(("loc_kyiv",), ("grp_1", "grp_2")), 3),
        (Sight(("loc_kyiv",), ("grp_1",)), 2),
        (Sight(("loc_kyiv",), ()), 1),
        (Sight(("loc_lviv",), ()), 0),
        (Sight((), ()), 0),
    ):
        made = await reports.summary(name, DAY, sight, UTC_ZONE)
        assert (made.all.value, made.closed.value) == (cases, cases), sight
        assert made.response_rate_by_turns.whole == 2 * cases
        assert made.time_to_respond.measured == 2 * cases
        assert made.time_to_close.measured == cases
        for by in get_args(By):
            rows = (await reports.performance(by, name, DAY, sight)).items
            assert sum(row.all for row in rows) == cases
            if by == "location" and sight.location_ids is not None:
                assert {row.key for row in rows} <= set(sight.location_ids)
            if by == "group" and sight.group_ids is not None:
                assert {row.key for row in rows} <= {None, *sight.group_ids}
