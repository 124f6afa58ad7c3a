"""Since when a customer waits, and what an answer measures, whatever becomes of the case."""

from datetime import datetime

import hypothesis
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.aggregates.aggregate import RuleBroken
from libs.events.content import Content
from services.conversation.domain.conversation.life import CaseReopened
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from tests.support.conversation.acts import MEMBERS
from tests.support.conversation.cases import (
    PLACE,
    Given,
    written,
)
from tests.support.conversation.happened import ACTIVE, DONE, NEW, closed, given
from tests.support.conversation.histories import ACTS
from tests.support.scenarios import minutes

MONTH = 30 * 24 * 60


def reopened(at: float) -> CaseReopened:
    return CaseReopened(case=1, at=minutes(at), member_id="dima", responsible="dima")


def wrote(number: int, at: float) -> MessageReceived:
    """The customer's message that begins a wait."""
    first = NEW[-1]
    assert isinstance(first, MessageReceived)
    message = written(number, minutes(at))
    return replace(
        first,
        at=minutes(at),
        message_id=message.message_id,
        external_message_id=message.external_message_id,
        content=message.content,
        received_at=message.received_at,
    )


def test_closing_unanswered_ends_the_wait() -> None:
    closing = (
        given(ACTIVE)
        .when(lambda c: c.close("dima", manages=False), minutes(5))
        .then([closed("dima", 5)])
    )
    assert (closing.case.waiting_since, closing.case.first_response_at) == (None, None)
    assert closing.state is not None
    assert closing.state.moved_back.waiting == minutes(5)


def test_reopened_by_hand_the_customer_waits_from_their_next_message_on() -> None:
    now = MONTH + 1
    given([*DONE, reopened(MONTH)]).when(
        lambda c: c.receive(written(2, minutes(now)), PLACE), minutes(now)
    ).then([wrote(2, now)])


def test_the_answer_after_it_was_reopened_measures_from_that_message() -> None:
    answering = given([*DONE, reopened(MONTH), wrote(2, MONTH + 1)]).when(
        lambda c: c.reply("dima", "msg_out", Content(text="Hello again")), minutes(MONTH + 1.05)
    )
    [answer] = answering.events
    assert isinstance(answer, MessageSent)
    assert (answer.answered_since, answer.first_response) == (minutes(MONTH + 1), True)


def test_a_reply_to_nothing_new_measures_nothing() -> None:
    answering = given([*DONE, reopened(60)]).when(
        lambda c: c.reply("dima", "msg_out", Content(text="One thing more")), minutes(61)
    )
    [answer] = answering.events
    assert isinstance(answer, MessageSent)
    assert (answer.answered_since, answer.first_response) == (None, False)
    assert answering.aggregate.case.first_response_at is None


def test_a_moderator_who_closes_what_nobody_took_ends_the_wait() -> None:
    closing = (
        given(NEW)
        .when(lambda c: c.close("olena", manages=False, untaken=True), minutes(5))
        .then([closed("olena", 5)])
    )
    assert closing.case.waiting_since is None


def test_what_the_owner_writes_after_done_answers_nobody() -> None:
    seen = given(DONE).when(lambda c: c.seen_sent(written(7, minutes(9)), PLACE), minutes(9))
    [answer] = seen.events
    assert isinstance(answer, MessageSent)
    assert answer.answered_since is None


@hypothesis.given(st.lists(st.sampled_from(range(len(ACTS))), max_size=40))
def test_an_answer_measures_from_what_came_since_the_last_answer_or_done(acts: list[int]) -> None:
    """Recounted from the events alone: a wait begins with a message after the last answer, or after
    the case was closed, and nothing but an answer or Done ends it."""
    told = Given()
    told.at(minutes(0)).receive(written(0, minutes(0)), PLACE)
    told.at(minutes(0)).take(MEMBERS[0])
    since: datetime | None = minutes(0)
    for step, number in enumerate(acts, 1):
        conversation = told.at(minutes(step))
        try:
            ACTS[number](conversation, step)
        except RuleBroken:
            continue
        for change in conversation.changes:
            event = change.event
            case = change.after.case
            match event:
                case MessageReceived():
                    assert event.starts_turn == (since is None)
                    since = since or event.at
                case MessageSent():
                    assert event.answered_since == since
                    since = None
            if case.state == "done" or type(event).__name__ == "CaseOpened":
                since = None
            assert case.waiting_since == since
