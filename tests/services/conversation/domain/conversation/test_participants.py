"""Participants are added, removed, and leave by themselves."""

import pytest

from libs.events.content import Content
from services.conversation.domain.conversation.life import AlreadyDone, NobodyTookIt, TakenBy
from services.conversation.domain.conversation.participants import (
    NotParticipant,
    ResponsibleStays,
    TooManyParticipants,
)
from services.conversation.domain.conversation.state import PARTICIPANTS_AT_MOST
from services.conversation.domain.conversation.transfer import AlreadyResponsible
from tests.support.conversation.cases import (
    Given,
    active_case,
    changes,
    done_case,
    minutes,
    new_case,
)


def shared_case() -> Given:
    """Dima's, with Olena."""
    given = active_case("dima")
    given.at(minutes(2)).add_participant("dima", "olena", manages=False)
    return given


def test_a_participant_writes_to_the_customer_and_does_not_close() -> None:
    given = shared_case()
    conversation = given.at(minutes(3))
    conversation.reply("olena", "msg_2", Content(text="hello"))
    assert changes(conversation) == ["MessageSent"]
    with pytest.raises(TakenBy):
        given.at(minutes(4)).close("olena", manages=False)


def test_only_the_responsible_or_who_manages_cases_adds_and_removes() -> None:
    given = shared_case()
    for act in ("add_participant", "remove_participant"):
        with pytest.raises(TakenBy):
            getattr(given.at(minutes(3)), act)("olena", "olena", manages=False)
    conversation = given.at(minutes(3))
    conversation.add_participant("boss", "ivan", manages=True)
    conversation.remove_participant("dima", "olena", manages=False)
    assert conversation.case.participants == ("ivan",)
    with pytest.raises(NotParticipant):
        given.at(minutes(4)).remove_participant("dima", "olena", manages=False)


def test_adding_one_who_is_there_is_nothing_and_the_responsible_is_refused() -> None:
    conversation = shared_case().at(minutes(3))
    conversation.add_participant("dima", "olena", manages=False)
    assert changes(conversation) == []
    with pytest.raises(AlreadyResponsible):
        conversation.add_participant("dima", "dima", manages=False)


def test_they_are_added_to_active_cases() -> None:
    with pytest.raises(NobodyTookIt):
        new_case().at(minutes(2)).add_participant("boss", "olena", manages=True)
    with pytest.raises(AlreadyDone):
        done_case().at(minutes(5)).add_participant("dima", "olena", manages=False)


def test_a_participant_leaves_at_any_time_and_the_responsible_does_not() -> None:
    given = shared_case()
    with pytest.raises(ResponsibleStays):
        given.at(minutes(3)).leave("dima")
    with pytest.raises(NotParticipant):
        given.at(minutes(3)).leave("ivan")
    given.at(minutes(3)).close("dima", manages=False)
    conversation = given.at(minutes(4))
    conversation.leave("olena")
    assert conversation.case.participants == ()


def test_a_case_has_so_many_participants_and_no_more() -> None:
    given = active_case("dima")
    conversation = given.at(minutes(2))
    for number in range(PARTICIPANTS_AT_MOST):
        conversation.add_participant("dima", f"mem_{number}", manages=False)
    with pytest.raises(TooManyParticipants):
        conversation.add_participant("dima", "one more", manages=False)
    conversation.offer("dima", "olena", manages=False)
    conversation.accept("olena")
    assert len(conversation.case.participants) == PARTICIPANTS_AT_MOST


def test_those_who_belong_to_a_case_send_it_to_the_crm() -> None:
    given = shared_case()
    conversation = given.at(minutes(3))
    for member in ("dima", "olena"):
        conversation.send_to_crm(member, manages=False)
    assert changes(conversation) == ["CaseSentToCrm", "CaseSentToCrm"]
    with pytest.raises(TakenBy):
        conversation.send_to_crm("ivan", manages=False)
    conversation.send_to_crm("boss", manages=True)
    with pytest.raises(NobodyTookIt):
        new_case().at(minutes(2)).send_to_crm("dima", manages=False)
