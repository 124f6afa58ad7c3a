"""What did not arrive is no answer; a person may send it again."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.aggregates.aggregate import RuleBroken
from libs.events.content import Content
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.corrections import AlreadyDeleted, MessageForgotten
from services.conversation.domain.conversation.life import (
    AlreadyDone,
    CaseClosed,
    CaseOpened,
    NobodyToAnswer,
    NobodyTookIt,
    TakenBy,
)
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from services.conversation.domain.conversation.sending import (
    ATTEMPTS_AT_MOST,
    AnswerTakenBack,
    MessageResent,
    NotFailed,
    SendingFailed,
    TriedTooOften,
)
from services.conversation.domain.conversation.state import Case
from services.conversation.domain.events import Event
from tests.support.conversation.acts import MEMBERS
from tests.support.conversation.cases import PLACE, Given, active_case, changes, events, written
from tests.support.conversation.histories import ACTS
from tests.support.scenarios import minutes


def answered() -> Given:
    """The customer wrote at 0, Dima took the case at 1 and answered at 3."""
    given_ = active_case()
    given_.at(minutes(3)).reply("dima", "msg_out", Content(text="Hello"))
    return given_


def fails(given_: Given, at: float, message_id: str = "msg_out") -> Conversation:
    sending = given_.sending(message_id)
    conversation = given_.at(minutes(at))
    number = sending.attempt.number if sending else 1
    conversation.sending_failed(sending, number, "failed", minutes(at), "blocked", "blocked")
    return conversation


def taken_back(conversation: Conversation) -> AnswerTakenBack:
    return next(e for e in events(conversation) if isinstance(e, AnswerTakenBack))


def test_the_customer_waits_since_they_began_to_wait() -> None:
    given_ = answered()
    failing = fails(given_, 4)
    assert changes(failing) == ["SendingFailed", "AnswerTakenBack"]
    assert (failing.case.waiting_since, failing.case.first_response_at) == (minutes(0), None)
    back = taken_back(failing)
    # The answer was the event at version 4: opened, received, taken, sent.
    assert (back.withdrawn, back.was_first, back.instead) == ((4,), True, None)
    failed = events(failing)[0]
    assert isinstance(failed, SendingFailed)
    assert (failed.member_id, failed.reason) == ("dima", "blocked")


def test_told_again_it_is_nothing() -> None:
    given_ = answered()
    fails(given_, 4)
    assert changes(fails(given_, 5)) == []


def test_a_sending_without_a_known_end_takes_nothing_back() -> None:
    given_ = answered()
    sending = given_.sending("msg_out")
    unsure = given_.at(minutes(4))
    unsure.sending_failed(sending, 1, "uncertain", minutes(4))
    assert changes(unsure) == ["SendingFailed"]
    assert unsure.case.waiting_since is None
    # Then it is known.
    assert changes(fails(given_, 5)) == ["SendingFailed", "AnswerTakenBack"]


def test_a_later_message_that_went_is_the_answer() -> None:
    given_ = answered()
    given_.at(minutes(4)).add_participant("dima", "olena", manages=False)
    given_.at(minutes(5)).reply("olena", "msg_more", Content(text="Are you there?"))
    failing = fails(given_, 6)
    assert (failing.case.waiting_since, failing.case.first_response_at) == (None, minutes(5))
    instead = taken_back(failing).instead
    assert instead is not None
    assert (instead.at, instead.waiting_since, instead.member_id) == (
        minutes(5),
        minutes(0),
        "olena",
    )
    # And should that fail too, nobody was answered.
    failing = fails(given_, 7, "msg_more")
    assert (failing.case.waiting_since, failing.case.first_response_at) == (minutes(0), None)


def test_what_failed_after_an_answer_changes_nothing() -> None:
    given_ = answered()
    given_.at(minutes(5)).reply("dima", "msg_more", Content(text="Anything else?"))
    failing = fails(given_, 6, "msg_more")
    assert changes(failing) == ["SendingFailed"]
    assert failing.case.first_response_at == minutes(3)


def test_who_wrote_again_meanwhile_goes_on_with_the_turn_before() -> None:
    given_ = answered()
    given_.at(minutes(5)).receive(written(2, minutes(5)), PLACE)
    failing = fails(given_, 6)
    assert failing.case.waiting_since == minutes(0)
    assert taken_back(failing).withdrawn == (4, 5)
    answer = given_.at(minutes(8))
    answer.reply("dima", "msg_more", Content(text="Sorry"))
    [sent] = events(answer)
    assert isinstance(sent, MessageSent)
    assert (sent.answered_since, sent.first_response) == (minutes(0), True)


def test_two_turns_that_turn_out_to_be_one_have_one_answer() -> None:
    given_ = answered()
    given_.at(minutes(5)).receive(written(2, minutes(5)), PLACE)
    given_.at(minutes(6)).reply("dima", "msg_more", Content(text="Yes"))
    back = taken_back(fails(given_, 7))
    assert back.withdrawn == (4, 5, 6)
    assert back.instead is not None
    assert (back.instead.position, back.instead.waiting_since) == (6, minutes(0))


def test_a_done_case_waits_for_nobody_whatever_failed() -> None:
    given_ = answered()
    given_.at(minutes(4)).close("dima", manages=False)
    failing = fails(given_, 5)
    assert (failing.case.waiting_since, failing.case.first_response_at) == (None, None)
    reopened = given_.at(minutes(6))
    reopened.reopen("dima", manages=False)
    assert reopened.case.waiting_since is None


def test_the_next_case_is_as_it_was() -> None:
    given_ = answered()
    given_.at(minutes(4)).close("dima", manages=False)
    next_case = given_.at(minutes(5))
    next_case.receive(written(2, minutes(5)), PLACE)
    case = next_case.case
    failing = fails(given_, 6)
    assert failing.case == case
    assert (taken_back(failing).case, taken_back(failing).was_first) == (1, True)


def test_times_stay_where_the_customer_was_forgotten_and_nothing_is_sent_to_them() -> None:
    given_ = answered()
    given_.at(minutes(4)).erase_customer("dima", 1)
    assert fails(given_, 5).case.waiting_since == minutes(0)
    with pytest.raises(NobodyToAnswer):
        resend(given_, 6)


def test_what_the_owner_wrote_elsewhere_is_not_parleys() -> None:
    given_ = active_case()
    given_.at(minutes(3)).seen_sent(written(7, minutes(3)), PLACE)
    assert changes(fails(given_, 4, "msg_7")) == []


def resend(given_: Given, at: float, by: str = "dima", state: Any = "failed") -> Conversation:
    sending = given_.sending("msg_out", state)
    assert sending is not None
    conversation = given_.at(minutes(at))
    conversation.resend(by, sending)
    return conversation


def test_sent_again_it_is_an_answer_at_that_time() -> None:
    given_ = answered()
    fails(given_, 4)
    resending = resend(given_, 9)
    [again] = events(resending)
    assert isinstance(again, MessageResent)
    assert (again.attempt, again.answered_since, again.first_response) == (2, minutes(0), True)
    assert [one.state for one in again.earlier] == ["failed"]
    assert (resending.case.waiting_since, resending.case.first_response_at) == (None, minutes(9))
    # Should that fail too, the customer waits since they began to.
    failing = fails(given_, 10)
    assert (failing.case.waiting_since, failing.case.first_response_at) == (minutes(0), None)
    [failed] = [e for e in events(failing) if isinstance(e, SendingFailed)]
    assert failed.attempt == 2


def test_of_one_without_a_known_end_the_first_sending_is_given_up() -> None:
    given_ = answered()
    resending = resend(given_, 9, state="uncertain")
    assert changes(resending) == ["AnswerTakenBack", "MessageResent"]
    assert resending.case.first_response_at == minutes(9)


def test_what_answers_nothing_new_measures_nothing() -> None:
    given_ = answered()
    fails(given_, 4)
    given_.at(minutes(5)).reply("dima", "msg_more", Content(text="In other words"))
    [again] = events(resend(given_, 6))
    assert isinstance(again, MessageResent)
    assert again.answered_since is None


def test_a_failure_that_is_told_after_the_message_was_sent_again_is_nothing() -> None:
    given_ = answered()
    old = given_.sending("msg_out")
    fails(given_, 4)
    resend(given_, 5)
    late = given_.at(minutes(6))
    late.sending_failed(given_.sending("msg_out"), 1, "failed", minutes(4))
    assert (changes(late), old is not None) == ([], True)


@pytest.mark.parametrize("state", ["queued", "sent", "delivered", "read"])
def test_only_what_did_not_arrive_is_sent_again(state: str) -> None:
    with pytest.raises(NotFailed):
        resend(answered(), 5, state=state)


def test_whoever_may_not_answer_does_not_send_again() -> None:
    given_ = answered()
    with pytest.raises(TakenBy):
        resend(given_, 5, by="olena")
    given_.at(minutes(5)).unassign("dima", manages=False)
    with pytest.raises(NobodyTookIt):
        resend(given_, 6)
    given_.at(minutes(7)).take("dima")
    given_.at(minutes(7)).close("dima", manages=False)
    with pytest.raises(AlreadyDone):
        resend(given_, 8)


def test_what_was_deleted_or_forgotten_is_not_sent_again() -> None:
    given_ = answered()
    sending = given_.sending("msg_out", "failed")
    assert sending is not None
    with pytest.raises(AlreadyDeleted):
        given_.at(minutes(5)).resend("dima", replace(sending, deleted_at=minutes(4)))
    with pytest.raises(MessageForgotten):
        given_.at(minutes(5)).resend("dima", replace(sending, content=Content.blank()))


def test_it_is_not_sent_without_end() -> None:
    given_ = answered()
    for attempt in range(1, ATTEMPTS_AT_MOST):
        resend(given_, 4 + attempt)
    with pytest.raises(TriedTooOften):
        resend(given_, 60)


def _a_message_fails(given_: Given, step: int, state: Any = "failed") -> None:
    sent = [e.message_id for _, e in given_.log if isinstance(e, MessageSent) and e.member_id]
    if sent:
        sending = given_.sending(sent[-1 - step % min(3, len(sent))])
        assert sending is not None
        conversation = given_.at(minutes(step))
        conversation.sending_failed(sending, sending.attempt.number, state, minutes(step))


def _a_message_has_no_end(given_: Given, step: int) -> None:
    _a_message_fails(given_, step, "uncertain")


def _a_message_is_sent_again(given_: Given, step: int) -> None:
    ended = {e.message_id: e for _, e in given_.log if isinstance(e, SendingFailed)}
    again = {e.message_id: e.attempt for _, e in given_.log if isinstance(e, MessageResent)}
    for message_id, failed in ended.items():
        if again.get(message_id, 1) == failed.attempt:
            sending = given_.sending(message_id, failed.state)
            assert sending is not None
            given_.at(minutes(step)).resend(MEMBERS[step % len(MEMBERS)], sending)
            return


type Step = Callable[[Given, int], None]


def _acting(number: int) -> Step:
    return lambda given_, step: ACTS[number](given_.at(minutes(step)), step)


def _answers(given_: Given, step: int) -> None:
    conversation = given_.at(minutes(step))
    conversation.reply(conversation.case.responsible or "dima", f"msg_{step}", Content(text="a"))


def _writes(given_: Given, step: int) -> None:
    given_.at(minutes(step)).receive(written(step, minutes(step)), PLACE)


OFTEN: list[Step] = [_answers, _writes, _a_message_fails, _a_message_has_no_end]
STEPS: list[Step] = [*4 * OFTEN, *4 * [_a_message_is_sent_again], *map(_acting, range(len(ACTS)))]


def recounted(log: list[tuple[int, Event[Any]]]) -> tuple[datetime | None, datetime | None]:
    """Since when the customer waits in the latest case, and its first answer: as if what failed, or
    was sent once more, had never been sent."""
    latest: dict[str, int] = {}
    failed = set()
    for _, event in log:
        if isinstance(event, MessageResent):
            latest[event.message_id] = event.attempt
        if isinstance(event, SendingFailed) and event.state == "failed":
            failed.add((event.message_id, event.attempt))
    waiting = first = None
    for _, event in log:
        match event:
            case CaseOpened():
                waiting = first = None
            case MessageReceived():
                waiting = waiting or event.at
            case CaseClosed():
                waiting = None
            case MessageSent() | MessageResent():
                number = event.attempt if isinstance(event, MessageResent) else 1
                stands = latest.get(event.message_id, 1) == number
                if stands and (event.message_id, number) not in failed:
                    first = first or (event.at if waiting else None)
                    waiting = None
    return waiting, first


def measured(case: Case) -> tuple[datetime | None, datetime | None]:
    return case.waiting_since, case.first_response_at


@given(st.lists(st.sampled_from(range(len(STEPS))), max_size=50))
def test_what_did_not_arrive_is_as_if_it_had_not_been_sent(numbers: list[int]) -> None:
    given_ = active_case()
    # What holds of the figures, as those who are told keep them: by the sequence that says so.
    answers: dict[int, tuple[datetime, datetime]] = {}
    turns: set[int] = {2}
    seen = len(given_.log)
    for step, number in enumerate(numbers, 2):
        with suppress(RuleBroken):
            STEPS[number](given_, step)
        case = given_.at(minutes(step)).case
        for version, event in given_.log[seen:]:
            match event:
                case MessageReceived(starts_turn=True):
                    turns.add(version)
                case (
                    MessageSent(answered_since=datetime())
                    | MessageResent(answered_since=datetime())
                ):
                    assert event.answered_since is not None
                    answers[version] = (event.answered_since, event.at)
                case AnswerTakenBack():
                    for withdrawn in event.withdrawn:
                        assert (withdrawn in answers) != (withdrawn in turns)
                        answers.pop(withdrawn, None)
                        turns.discard(withdrawn)
                    if event.instead is not None:
                        answers[version] = (event.instead.waiting_since, event.instead.at)
        seen = len(given_.log)
        assert measured(case) == recounted(given_.log)
        assert len(answers) <= len(turns)
