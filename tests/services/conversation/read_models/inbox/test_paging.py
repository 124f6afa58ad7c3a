"""Who pages while rows move meets none twice, and each that stands still once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.aggregates.aggregate import RuleBroken, Snapshot
from libs.events.api.filters import Sort, Tab
from libs.events.content import Channel, Content, Sender
from libs.events.marks import PRIORITIES
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.conversation.written import Place, Written
from services.conversation.read_models.inbox.inbox import PageCaches
from tests.support.conversation.rows import OWNER, WORKSPACE, Made

pytestmark = pytest.mark.servers

CONVERSATIONS: Final = 8
LISTS: Final[tuple[tuple[Tab, Sort], ...]] = (
    ("all", "last_message"),
    ("all", "waiting"),
    ("new", "waiting"),
    ("all", "priority"),
    ("important", "last_message"),
)
ME: Final = OWNER.member_id
_numbers = count(1)

type Act = Callable[[Conversation, int], None]
type Where = tuple[Any, ...] | None


def _written(step: int, late: int) -> Written:
    number, now = next(_numbers), datetime.now(UTC)
    return Written(
        message_id=f"msg_{number}",
        external_message_id=str(number),
        customer_id="cus_1",
        sender=Sender(external_id="1", name="Ada"),
        content=Content(text=f"{step}"),
        occurred_at=now - timedelta(minutes=late),
        received_at=now,
        thread="1",
    )


PLACE: Final = Place(
    workspace_id=WORKSPACE,
    source_id="src_1",
    channel=Channel.TELEGRAM,
    location_id="loc_1",
    routed=False,
    next_number=_numbers.__next__,
)

ACTS: Final[dict[str, Act]] = {
    "the customer writes": lambda c, step: c.receive(_written(step, step % 3), PLACE),
    "somebody answers elsewhere": lambda c, step: c.seen_sent(_written(step, step), PLACE),
    "take": lambda c, step: c.take(ME),
    "reply": lambda c, step: c.reply(ME, f"msg_r{step}", Content(text="yes")),
    "close": lambda c, step: c.close(ME, manages=True, untaken=True),
    "reopen": lambda c, step: c.reopen(ME, manages=True),
    "note": lambda c, step: c.note(ME, f"note_{next(_numbers)}", "text"),
    "flag": lambda c, step: c.flag(ME),
    "tag": lambda c, step: c.change_marks(ME, "tag", add=(f"t{step}",), remove=()),
    "prioritise": lambda c, step: c.set_priority(ME, PRIORITIES[step % len(PRIORITIES)]),
    "due": lambda c, step: c.set_due(
        ME, datetime.now(UTC) - step * timedelta(hours=1), manages=True
    ),
}
doing = st.tuples(
    st.integers(0, CONVERSATIONS - 1), st.sampled_from(sorted(ACTS)), st.integers(0, 9)
)


class Moving:
    """Conversations whose rows follow them."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.snapshots: dict[str, Snapshot[ConversationState]] = {}

    async def begin(self) -> None:
        await self.made.rows.delete_many({})
        self.made.versions.clear()
        self.made.caches = PageCaches()
        for at in range(CONVERSATIONS):
            await self.act(at, "the customer writes", at)
            await self.act(at, "due", at)

    async def act(self, at: int, name: str, step: int) -> None:
        stream, now = f"cnv_{at}", datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        conversation = Conversation(stream, self.snapshots.get(stream), now)
        try:
            ACTS[name](conversation, step)
        except RuleBroken:
            return
        if conversation.changes:
            self.snapshots[stream] = conversation.snapshot()
            await self.made.put(self.snapshots[stream].state, recorded_at=now)
        # What is kept is kept to the millisecond.
        await asyncio.sleep(0.002)

    def where(self, tab: Tab, sort: Sort) -> dict[str, Where]:
        """Where in the list each one stands; None for who is not in it."""
        return {
            stream: _where(snapshot.state, tab, sort) for stream, snapshot in self.snapshots.items()
        }


def _where(state: ConversationState, tab: Tab, sort: Sort) -> Where:
    case = state.case
    if tab == "important":
        return (case.due_at,) if case.due_at and case.state != "done" else None
    if tab == "new" and case.state != "new":
        return None
    match sort:
        case "waiting":
            return (0, case.waiting_since) if case.waiting_since else (1, state.active_at)
        case "priority":
            return case.priority, state.active_at
    return (state.active_at,)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    which=st.sampled_from(LISTS),
    limit=st.integers(1, 4),
    before=st.lists(doing, max_size=12),
    between=st.lists(st.lists(doing, max_size=4), max_size=CONVERSATIONS),
)
async def test_none_is_met_twice_and_who_stands_still_is_met(
    made: Made,
    which: tuple[Tab, Sort],
    limit: int,
    before: list[tuple[int, str, int]],
    between: list[list[tuple[int, str, int]]],
) -> None:
    tab, sort = which
    moving = Moving(made)
    await moving.begin()
    for one in before:
        await moving.act(*one)
    began = moving.where(tab, sort)
    still = {stream for stream, place in began.items() if place is not None}

    shown, cursor = await made.page(tab=tab, sort=sort, limit=limit)
    while cursor is not None:
        for one in between.pop(0) if between else ():
            await moving.act(*one)
            now = moving.where(tab, sort)
            still = {stream for stream in still if now[stream] == began[stream]}
        more, cursor = await made.page(tab=tab, sort=sort, limit=limit, cursor=cursor)
        shown += more

    assert len(shown) == len(set(shown))
    assert still <= set(shown)
