"""Since when a customer waits, and what an answer measures, whatever becomes of the case."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from libs.aggregates.aggregate import RuleBroken
from libs.events.content import Content
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from tests.support.conversation.acts import MEMBERS
from tests.support.conversation.cases import (
    PLACE,
    Given,
    active_case,
    done_case,
    events,
    new_case,
    written,
)
from tests.support.conversation.histories import ACTS
from tests.support.scenarios import minutes


def test_closing_unanswered_ends_the_wait() -> None:
    given = active_case()
    closing = given.at(minutes(5))
    closing.close("dima", manages=False)
    assert (closing.case.waiting_since, closing.case.first_response_at) == (None, None)
    assert closing.state is not None
    assert closing.state.moved_back.waiting == minutes(5)


def test_reopened_by_hand_the_customer_waits_from_their_next_message_on() -> None:
    given = done_case()
    month = 30 * 24 * 60
    given.at(minutes(month)).reopen("dima", manages=False)
    receiving = given.at(minutes(month + 1))
    receiving.receive(written(2, minutes(month + 1)), PLACE)
    [event] = events(receiving)
    assert isinstance(event, MessageReceived)
    assert event.starts_turn
    answering = given.at(minutes(month + 1.05))
    answering.reply("dima", "msg_out", Content(text="Hello again"))
    [answer] = events(answering)
    assert isinstance(answer, MessageSent)
    assert (answer.answered_since, answer.first_response) == (minutes(month + 1), True)


def test_a_reply_to_nothing_new_measures_nothing() -> None:
    given = done_case()
    given.at(minutes(60)).reopen("dima", manages=False)
    answering = given.at(minutes(61))
    answering.reply("dima", "msg_out", Content(text="One thing more"))
    [answer] = events(answering)
    assert isinstance(answer, MessageSent)
    assert (answer.answered_since, answer.first_response) == (None, False)
    assert answering.case.first_response_at is None


def test_a_moderator_who_closes_what_nobody_took_ends_the_wait() -> None:
    closing = new_case().at(minutes(5))
    closing.close("olena", manages=False, untaken=True)
    assert closing.case.waiting_since is None


def test_what_the_owner_writes_after_done_answers_nobody() -> None:
    seen = done_case().at(minutes(9))
    seen.seen_sent(written(7, minutes(9)), PLACE)
    [answer] = events(seen)
    assert isinstance(answer, MessageSent)
    assert answer.answered_since is None


@given(st.lists(st.sampled_from(range(len(ACTS))), max_size=40))
def test_an_answer_measures_from_what_came_since_the_last_answer_or_done(acts: list[int]) -> None:
    """Recounted from the events alone: a wait begins with a message after the last answer, or after
    the case was closed, and nothing but an answer or Done ends it."""
    given_ = Given()
    given_.at(minutes(0)).receive(written(0, minutes(0)), PLACE)
    given_.at(minutes(0)).take(MEMBERS[0])
    since: datetime | None = minutes(0)
    for step, number in enumerate(acts, 1):
        conversation = given_.at(minutes(step))
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
