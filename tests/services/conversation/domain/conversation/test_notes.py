"""Notes: given a case, when somebody writes one and mentions somebody, then who belongs to it."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.conversation.domain.conversation.notes import NoteAdded
from services.conversation.domain.conversation.participants import ParticipantAdded
from services.conversation.domain.conversation.state import PARTICIPANTS_AT_MOST
from services.conversation.domain.events import Event
from tests.support.conversation.happened import ACTIVE, DONE, NEW, added, given
from tests.support.scenarios import minutes

History = Sequence[Event[Any]]
NOW = minutes(9)
ADDING = pytest.mark.parametrize(("author", "manages"), [("dima", False), ("owner", True)])


def note(by: str, text: str, *mentions: str) -> NoteAdded:
    return NoteAdded(case=1, at=NOW, member_id=by, note_id="note_1", text=text, mentions=mentions)


def joined(by: str, participant: str) -> ParticipantAdded:
    return added(by, participant, 9)


@pytest.mark.parametrize("history", [NEW, ACTIVE, DONE], ids=["new", "active", "done"])
def test_a_note_may_be_written_whatever_the_state(history: History) -> None:
    before = given(history)
    after = before.when(
        lambda c: c.note("olena", "note_1", "call back", mentions=("anna", "anna")), NOW
    ).then([note("olena", "call back", "anna")])
    assert after.case == before.at(NOW).case


@ADDING
def test_whom_the_responsible_or_a_manager_mentions_becomes_a_participant(
    author: str, manages: bool
) -> None:
    conversation = (
        given(ACTIVE)
        .when(
            lambda c: c.note(author, "note_1", "help", mentions=("anna", "dima"), manages=manages),
            NOW,
        )
        .then([joined(author, "anna"), note(author, "help", "anna", "dima")])
    )
    assert conversation.case.participants == ("anna",)


@ADDING
def test_who_is_a_participant_already_is_only_told(author: str, manages: bool) -> None:
    given([*ACTIVE, added("dima", "anna")]).when(
        lambda c: c.note(author, "note_1", "please", mentions=("anna",), manages=manages), NOW
    ).then([note(author, "please", "anna")])


def test_a_mention_by_anybody_else_adds_nobody() -> None:
    given(ACTIVE).when(lambda c: c.note("olena", "note_1", "look", mentions=("anna",)), NOW).then(
        [note("olena", "look", "anna")]
    )


@pytest.mark.parametrize("manages", [False, True])
@pytest.mark.parametrize("history", [NEW, DONE], ids=["new", "done"])
def test_nobody_is_added_to_a_case_that_is_not_active(history: History, manages: bool) -> None:
    given(history).when(
        lambda c: c.note("dima", "note_1", "look", mentions=("anna",), manages=manages), NOW
    ).then([note("dima", "look", "anna")])


@ADDING
def test_nobody_is_added_by_mentioning_themselves_or_who_does_not_answer(
    author: str, manages: bool
) -> None:
    conversation = (
        given(ACTIVE)
        .when(
            lambda c: c.note(
                author,
                "note_1",
                "look",
                mentions=(author, "analyst", "anna"),
                manages=manages,
                answers=lambda member_id: member_id != "analyst",
            ),
            NOW,
        )
        .then([joined(author, "anna"), note(author, "look", author, "analyst", "anna")])
    )
    assert conversation.case.participants == ("anna",)


def test_a_mention_for_whom_there_is_no_room_is_told_all_the_same() -> None:
    everybody = [added("dima", f"member_{number}") for number in range(PARTICIPANTS_AT_MOST)]
    given([*ACTIVE, *everybody]).when(
        lambda c: c.note("dima", "note_1", "help", mentions=("anna", "member_1")), NOW
    ).then([note("dima", "help", "anna", "member_1")])
