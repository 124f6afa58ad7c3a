"""Participants are added, removed, and leave by themselves."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from libs.events.content import Content
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.crm import CaseSentToCrm
from services.conversation.domain.conversation.life import AlreadyDone, NobodyTookIt, TakenBy
from services.conversation.domain.conversation.messages import MessageSent
from services.conversation.domain.conversation.participants import (
    NotParticipant,
    ParticipantAdded,
    ParticipantLeft,
    ParticipantRemoved,
    ResponsibleStays,
    TooManyParticipants,
)
from services.conversation.domain.conversation.state import PARTICIPANTS_AT_MOST
from services.conversation.domain.conversation.transfer import AlreadyResponsible
from services.conversation.domain.events import Event
from tests.support.conversation.happened import (
    ACTIVE,
    DONE,
    NEW,
    SHARED,
    added,
    closed,
    given,
    offered,
)
from tests.support.scenarios import minutes

FULL = [*ACTIVE, *(added("dima", f"mem_{number}") for number in range(PARTICIPANTS_AT_MOST))]


def test_a_participant_writes_to_the_customer() -> None:
    then = given(SHARED).when(lambda c: c.reply("olena", "msg_2", Content(text="hello")))
    [sent] = then.events
    assert isinstance(sent, MessageSent)
    assert (sent.member_id, sent.content.text) == ("olena", "hello")


def test_a_participant_does_not_close() -> None:
    given(SHARED).when(lambda c: c.close("olena", manages=False)).then_refused(TakenBy)


@pytest.mark.parametrize(
    "act", [Conversation.add_participant, Conversation.remove_participant], ids=["add", "remove"]
)
def test_a_participant_neither_adds_nor_removes(act: Callable[..., None]) -> None:
    given(SHARED).when(lambda c: act(c, "olena", "olena", manages=False)).then_refused(TakenBy)


def test_who_manages_cases_adds() -> None:
    conversation = (
        given(SHARED)
        .when(lambda c: c.add_participant("boss", "ivan", manages=True), minutes(3))
        .then([ParticipantAdded(case=1, at=minutes(3), member_id="boss", participant="ivan")])
    )
    assert conversation.case.participants == ("olena", "ivan")


def test_the_responsible_removes() -> None:
    conversation = (
        given([*SHARED, added("boss", "ivan", 3)])
        .when(lambda c: c.remove_participant("dima", "olena", manages=False), minutes(3))
        .then([ParticipantRemoved(case=1, at=minutes(3), member_id="dima", participant="olena")])
    )
    assert conversation.case.participants == ("ivan",)


def test_who_is_not_there_is_not_removed() -> None:
    given(ACTIVE).when(lambda c: c.remove_participant("dima", "olena", manages=False)).then_refused(
        NotParticipant
    )


def test_who_was_removed_is_not_removed_again() -> None:
    gone = ParticipantRemoved(case=1, at=minutes(3), member_id="dima", participant="olena")
    given([*SHARED, gone]).when(
        lambda c: c.remove_participant("dima", "olena", manages=False)
    ).then_refused(NotParticipant)


def test_adding_one_who_is_there_is_nothing() -> None:
    given(SHARED).when(lambda c: c.add_participant("dima", "olena", manages=False)).then_nothing()


def test_the_responsible_is_not_added() -> None:
    given(SHARED).when(lambda c: c.add_participant("dima", "dima", manages=False)).then_refused(
        AlreadyResponsible
    )


def test_nobody_is_added_to_a_case_that_nobody_took() -> None:
    given(NEW).when(lambda c: c.add_participant("boss", "olena", manages=True)).then_refused(
        NobodyTookIt
    )


def test_nobody_is_added_to_a_case_that_is_done() -> None:
    given(DONE).when(lambda c: c.add_participant("dima", "olena", manages=False)).then_refused(
        AlreadyDone
    )


def test_the_responsible_does_not_leave() -> None:
    given(SHARED).when(lambda c: c.leave("dima")).then_refused(ResponsibleStays)


def test_who_does_not_belong_to_it_does_not_leave() -> None:
    given(SHARED).when(lambda c: c.leave("ivan")).then_refused(NotParticipant)


@pytest.mark.parametrize("history", [SHARED, [*SHARED, closed("dima", 3)]], ids=["active", "done"])
def test_a_participant_leaves_at_any_time(history: Sequence[Event[Any]]) -> None:
    conversation = (
        given(history)
        .when(lambda c: c.leave("olena"), minutes(4))
        .then([ParticipantLeft(case=1, at=minutes(4), member_id="olena")])
    )
    assert conversation.case.participants == ()


def test_a_case_has_so_many_participants_and_no_more() -> None:
    given(FULL).when(lambda c: c.add_participant("dima", "one more", manages=False)).then_refused(
        TooManyParticipants
    )


def test_who_accepts_a_full_case_makes_no_room_and_needs_none() -> None:
    then = given([*FULL, offered("dima", "olena")]).when(lambda c: c.accept("olena"))
    assert len(then.events) == 1
    assert len(then.aggregate.case.participants) == PARTICIPANTS_AT_MOST


@pytest.mark.parametrize(("by", "manages"), [("dima", False), ("olena", False), ("boss", True)])
def test_those_who_belong_to_a_case_send_it_to_the_crm(by: str, manages: bool) -> None:
    then = given(SHARED).when(lambda c: c.send_to_crm(by, manages=manages))
    [sent] = then.events
    assert isinstance(sent, CaseSentToCrm)
    assert sent.member_id == by


def test_who_does_not_belong_to_it_does_not_send_it_to_the_crm() -> None:
    given(SHARED).when(lambda c: c.send_to_crm("ivan", manages=False)).then_refused(TakenBy)


def test_what_nobody_took_is_not_sent_to_the_crm() -> None:
    given(NEW).when(lambda c: c.send_to_crm("dima", manages=False)).then_refused(NobodyTookIt)
