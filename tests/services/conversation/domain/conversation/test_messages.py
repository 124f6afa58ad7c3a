"""Messages: receive, edit, send, note; and what the case measures of them."""

import pytest

from libs.events.content import Content
from services.conversation.domain.conversation.life import (
    AlreadyDone,
    CaseOpened,
    NobodyTookIt,
    TakenBy,
)
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from services.conversation.domain.conversation.state import (
    PREVIEW_CHARACTERS,
    RECENTLY_SENT,
    preview_of,
)
from tests.support.conversation.cases import (
    PLACE,
    ROUTED,
    Given,
    active_case,
    changes,
    done_case,
    events,
    new_case,
    written,
)
from tests.support.scenarios import minutes

HELLO = Content(text="hello")


def test_the_customer_begins_to_wait_with_the_first_message_of_a_turn() -> None:
    given = active_case()
    second = given.at(minutes(2))
    second.receive(written(2, minutes(2)), PLACE)
    [event] = events(second)
    assert isinstance(event, MessageReceived)
    assert (event.starts_turn, second.case.waiting_since) == (False, minutes(0))


def test_the_answer_ends_the_wait_and_the_first_one_is_remembered() -> None:
    given = active_case("dima")
    answer = given.at(minutes(3))
    answer.reply("dima", "msg_a", HELLO)
    [event] = events(answer)
    assert isinstance(event, MessageSent)
    assert (event.answered_since, event.first_response) == (minutes(0), True)
    assert (answer.case.waiting_since, answer.case.first_response_at) == (None, minutes(3))

    given.at(minutes(4)).receive(written(2, minutes(4)), PLACE)
    second = given.at(minutes(6))
    second.reply("dima", "msg_b", HELLO)
    [event] = events(second)
    assert isinstance(event, MessageSent)
    assert (event.answered_since, event.first_response) == (minutes(4), False)
    assert second.case.first_response_at == minutes(3)


def test_a_second_answer_in_a_row_answers_nobody() -> None:
    given = active_case("dima")
    given.at(minutes(3)).reply("dima", "msg_a", HELLO)
    again = given.at(minutes(4))
    again.reply("dima", "msg_b", HELLO)
    [event] = events(again)
    assert isinstance(event, MessageSent)
    assert event.answered_since is None


def test_a_new_case_has_to_be_taken_before_it_is_answered() -> None:
    with pytest.raises(NobodyTookIt):
        new_case().at(minutes(1)).reply("dima", "msg_a", HELLO)


def test_only_the_responsible_and_participants_answer() -> None:
    given = done_case("dima")
    given.at(minutes(3)).receive(written(2, minutes(3)), PLACE)
    given.at(minutes(4)).take("olena")
    with pytest.raises(TakenBy):
        given.at(minutes(5)).reply("ivan", "msg_a", HELLO)
    participant = given.at(minutes(5))
    participant.reply("dima", "msg_a", HELLO)
    assert changes(participant) == ["MessageSent"]


def test_a_done_case_is_not_answered() -> None:
    with pytest.raises(AlreadyDone):
        done_case("dima").at(minutes(5)).reply("dima", "msg_a", HELLO)


def test_the_message_after_done_opens_the_next_case_with_timers_from_zero() -> None:
    given = active_case("dima")
    given.at(minutes(1.5)).reply("dima", "msg_a", HELLO)
    given.at(minutes(2)).close("dima", manages=False)
    conversation = given.at(minutes(9))
    conversation.receive(written(2, minutes(9)), PLACE)
    case = conversation.case
    assert changes(conversation) == ["CaseOpened", "MessageReceived"]
    assert (case.case_id, case.state, case.repeat) == ("cnv_1.2", "new", True)
    assert (case.opened_at, case.waiting_since) == (minutes(9), minutes(9))
    assert (case.first_response_at, case.responsible, case.responsible_before) == (
        None,
        None,
        "dima",
    )


def test_a_message_from_before_done_that_arrives_after_it_opens_no_case_in_the_past() -> None:
    conversation = done_case().at(minutes(9))
    conversation.receive(written(2, minutes(1.5), minutes(9)), PLACE)
    opened, received = events(conversation)
    assert isinstance(opened, CaseOpened)
    assert (opened.at, received.at) == (minutes(2), minutes(2))


def test_a_message_is_never_later_than_its_receipt() -> None:
    conversation = new_case().at(minutes(2))
    conversation.receive(written(2, minutes(60), minutes(2)), PLACE)
    [event] = events(conversation)
    assert event.at == minutes(2)


def test_an_edit_changes_no_timer_and_opens_no_case() -> None:
    conversation = done_case().at(minutes(9))
    conversation.edit(written(1, minutes(9)), "incoming", PLACE)
    assert changes(conversation) == ["MessageEdited"]
    assert conversation.case.state == "done"


def test_an_edit_in_a_thread_never_seen_is_the_message() -> None:
    conversation = Given().at(minutes(0))
    conversation.edit(written(1, minutes(0)), "incoming", PLACE)
    assert changes(conversation) == ["CaseOpened", "MessageReceived"]


def test_what_the_owner_wrote_on_the_platform_is_the_teams_answer() -> None:
    conversation = new_case().at(minutes(4))
    conversation.seen_sent(written(2, minutes(4)), PLACE)
    [event] = events(conversation)
    assert isinstance(event, MessageSent)
    assert (event.member_id, event.answered_since) == (None, minutes(0))
    assert (conversation.case.state, conversation.case.waiting_since) == ("new", None)


def test_what_the_owner_wrote_first_opens_a_case_of_the_team_that_needs_no_routing() -> None:
    conversation = Given().at(minutes(0))
    conversation.seen_sent(written(1, minutes(0)), ROUTED)
    case = conversation.case
    assert (case.state, case.opened_by, case.first_response_at) == ("new", "team", None)


def test_what_the_owner_wrote_after_done_leaves_the_case_done() -> None:
    conversation = done_case().at(minutes(9))
    conversation.seen_sent(written(2, minutes(9)), PLACE)
    assert changes(conversation) == ["MessageSent"]
    assert conversation.case.state == "done"


def test_the_state_does_not_grow_with_the_conversation() -> None:
    given = active_case("dima")
    for number in range(3 * RECENTLY_SENT):
        given.at(minutes(2 + number)).reply("dima", f"msg_{number}", HELLO)
    state = given.at(minutes(200)).state
    assert state is not None
    assert len(state.recently_sent) == RECENTLY_SENT


def test_the_preview_is_one_short_line() -> None:
    assert preview_of(Content(text="a\n\n b " + "c" * 900)) == "a b " + "c" * (
        PREVIEW_CHARACTERS - 4
    )


def test_a_decision_that_is_refused_half_way_leaves_no_half_of_it() -> None:
    given = done_case("anna")
    given.at(minutes(3)).receive(written(2, minutes(3)), PLACE)
    given.at(minutes(4)).take("dima")
    conversation = given.at(minutes(5))
    before = conversation.snapshot()

    conversation.note("anna", "note_1", "kept")
    kept = len(conversation.changes)
    conversation.reply("anna", "msg_9", Content(text="We do"))
    with pytest.raises(TakenBy):
        conversation.close("anna", manages=False)
    conversation.undo_to(kept)

    assert changes(conversation) == ["NoteAdded"]
    assert conversation.version == before.version + 1
    assert conversation.case == before.state.case
