"""An answer that did not arrive is none: the figures follow, whatever comes first or again."""

from datetime import timedelta

from libs.events.conversation.message import Response
from services.analytics.consumers import Projection
from services.analytics.reports import Reports
from services.analytics.warehouse import Warehouse
from tests.support.analytics.projected import ALL, DAY, UTC_ZONE, project, workspace
from tests.support.analytics.stories import START, Story, received


async def counted(warehouse: Warehouse, story: Story) -> list[object]:
    """Responded, unresponded, answered of turns, and the time to respond; whatever comes first, and
    also when all of it comes again."""
    reports = Reports(warehouse)
    await project(warehouse, story)
    for events in (story.events[::-1], story.events):
        await Projection(warehouse).apply(received(events))
        made = await reports.summary(story.workspace, DAY, ALL, UTC_ZONE)
    return [
        made.responded.value,
        made.unresponded.value,
        (made.response_rate_by_turns.part, made.response_rate_by_turns.whole),
        made.time_to_respond.average.text,
    ]


async def test_a_failed_answer_is_no_answer(warehouse: Warehouse) -> None:
    # 1 opened, 2 written, 3 taken, 4 answered.
    story = Story(workspace()).writes(0).takes("mem_a").answers("mem_a", 2)
    assert await counted(warehouse, story) == [1, 0, (1, 1), "3m 00s"]
    assert await counted(warehouse, story.fails(4)) == [0, 1, (0, 1), "–"]
    # Written a minute after the failure: five minutes after the customer did.
    assert await counted(warehouse, story.answers("mem_b")) == [1, 0, (1, 1), "5m 00s"]


async def test_of_two_turns_that_were_one_the_later_answer_counts(warehouse: Warehouse) -> None:
    # 4 answered (and failed), 5 written, 6 answered.
    story = Story(workspace()).writes(0).takes("mem_a").answers("mem_a").writes().answers("mem_b")
    instead = Response(
        waiting_since=START,
        answered_at=START + timedelta(minutes=4),
        is_first=True,
        member_id="mem_b",
    )
    story.fails(4, 5, 6, instead=(6, instead))
    assert await counted(warehouse, story) == [1, 0, (1, 1), "4m 00s"]
    rows = await Reports(warehouse).performance("member", story.workspace, DAY, ALL)
    times = {row.key: row.time_to_respond.measured for row in rows.items}
    assert times == {"mem_a": 0, "mem_b": 1}


async def test_the_answer_of_an_earlier_case_is_taken_back_there(warehouse: Warehouse) -> None:
    story = Story(workspace()).writes(0).takes("mem_a").answers("mem_a").closes("mem_a")
    story.writes().takes("mem_a").answers("mem_a")
    assert await counted(warehouse, story) == [2, 0, (2, 2), "2m 00s"]
    assert await counted(warehouse, story.fails(4, case=0)) == [1, 0, (1, 2), "2m 00s"]
