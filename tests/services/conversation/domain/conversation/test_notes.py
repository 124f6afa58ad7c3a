"""Notes: given a case, when somebody writes one and mentions somebody, then who belongs to it."""

import pytest

from services.conversation.domain.conversation.notes import NoteAdded
from services.conversation.domain.conversation.state import PARTICIPANTS_AT_MOST
from tests.support.conversation.cases import (
    active_case,
    changes,
    done_case,
    events,
    minutes,
    new_case,
)


def test_a_note_may_be_written_whatever_the_state() -> None:
    for given in (new_case(), active_case(), done_case()):
        conversation = given.at(minutes(9))
        before = conversation.case
        conversation.note("olena", "note_1", "call back", mentions=("anna", "anna"))
        [event] = events(conversation)
        assert isinstance(event, NoteAdded)
        assert event.mentions == ("anna",)
        assert conversation.case == before


@pytest.mark.parametrize(("author", "manages"), [("dima", False), ("owner", True)])
def test_whom_the_responsible_or_a_manager_mentions_becomes_a_participant(
    author: str, manages: bool
) -> None:
    given = active_case("dima")
    conversation = given.at(minutes(2))
    conversation.note(author, "note_1", "help", mentions=("anna", "dima"), manages=manages)
    assert changes(conversation) == ["ParticipantAdded", "NoteAdded"]
    assert conversation.case.participants == ("anna",)

    again = given.at(minutes(3))
    again.note(author, "note_2", "please", mentions=("anna",), manages=manages)
    assert changes(again) == ["NoteAdded"]


def test_a_mention_by_anybody_else_adds_nobody() -> None:
    conversation = active_case("dima").at(minutes(2))
    conversation.note("olena", "note_1", "look", mentions=("anna",))
    assert (changes(conversation), conversation.case.participants) == (["NoteAdded"], ())


@pytest.mark.parametrize("manages", [False, True])
def test_nobody_is_added_to_a_case_that_is_not_active(manages: bool) -> None:
    for given in (new_case(), done_case("dima")):
        conversation = given.at(minutes(9))
        conversation.note("dima", "note_1", "look", mentions=("anna",), manages=manages)
        assert changes(conversation) == ["NoteAdded"]


@pytest.mark.parametrize(("author", "manages"), [("dima", False), ("owner", True)])
def test_nobody_is_added_by_mentioning_themselves_or_who_does_not_answer(
    author: str, manages: bool
) -> None:
    conversation = active_case("dima").at(minutes(2))
    conversation.note(
        author,
        "note_1",
        "look",
        mentions=(author, "analyst", "anna"),
        manages=manages,
        answers=lambda member_id: member_id != "analyst",
    )
    assert conversation.case.participants == ("anna",)
    note = events(conversation)[-1]
    assert isinstance(note, NoteAdded)
    assert note.mentions == (author, "analyst", "anna")


def test_a_mention_for_whom_there_is_no_room_is_told_all_the_same() -> None:
    given = active_case("dima")
    case = given.at(minutes(2))
    for number in range(PARTICIPANTS_AT_MOST):
        case.add_participant("dima", f"member_{number}", manages=False)
    conversation = given.at(minutes(3))
    conversation.note("dima", "note_1", "help", mentions=("anna", "member_1"))
    [note] = events(conversation)
    assert isinstance(note, NoteAdded)
    assert note.mentions == ("anna", "member_1")
