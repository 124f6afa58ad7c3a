"""Offering a case to a member, and what ends an offer."""

from collections.abc import Callable

import pytest

from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.life import AlreadyDone, NobodyTookIt, TakenBy
from services.conversation.domain.conversation.state import Offer
from services.conversation.domain.conversation.transfer import (
    AlreadyOffered,
    AlreadyResponsible,
    NothingOffered,
    OfferedToAnother,
)
from tests.support.conversation.cases import (
    Given,
    active_case,
    changes,
    done_case,
    minutes,
    new_case,
)


def offered_case() -> Given:
    given = active_case("dima")
    given.at(minutes(2)).offer("dima", "olena", manages=False)
    return given


def test_an_offer_waits_and_whom_it_is_for_belongs_to_the_case() -> None:
    case = offered_case().at(minutes(3)).case
    assert case.offer == Offer("olena", "dima", minutes(2))
    assert (case.responsible, case.participants) == ("dima", ())
    assert (case.people, case.hands) == (("dima", "olena"), ("dima",))


def test_accepted_it_is_theirs_and_who_had_it_stays_as_a_participant() -> None:
    conversation = offered_case().at(minutes(3))
    conversation.accept("olena")
    case = conversation.case
    assert (case.responsible, case.held_since, case.offer) == ("olena", minutes(3), None)
    assert case.participants == ("dima",)


def test_a_participant_who_accepts_is_one_no_longer() -> None:
    given = active_case("dima")
    given.at(minutes(2)).add_participant("dima", "olena", manages=False)
    given.at(minutes(3)).offer("dima", "olena", manages=False)
    conversation = given.at(minutes(4))
    assert conversation.case.people == ("dima", "olena")
    conversation.accept("olena")
    assert (conversation.case.responsible, conversation.case.participants) == ("olena", ("dima",))


def test_declined_the_responsible_is_who_it_was() -> None:
    given = offered_case()
    conversation = given.at(minutes(3))
    conversation.decline("olena")
    case = conversation.case
    assert (case.responsible, case.held_since, case.offer) == ("dima", minutes(1), None)
    with pytest.raises(NothingOffered):
        given.at(minutes(4)).accept("olena")


def test_only_whom_it_is_for_answers_and_only_the_responsible_withdraws() -> None:
    given = offered_case()
    for answer in (Conversation.accept, Conversation.decline):
        with pytest.raises(OfferedToAnother) as refused:
            answer(given.at(minutes(3)), "ivan")
        assert refused.value.member_id == "olena"
    with pytest.raises(TakenBy):
        given.at(minutes(3)).withdraw("olena", manages=False)
    conversation = given.at(minutes(3))
    conversation.withdraw("dima", manages=False)
    assert conversation.case.offer is None
    with pytest.raises(NothingOffered):
        given.at(minutes(4)).withdraw("dima", manages=False)


def test_it_is_offered_to_one_at_a_time() -> None:
    given = offered_case()
    same = given.at(minutes(3))
    same.offer("dima", "olena", manages=False)
    assert changes(same) == []
    with pytest.raises(AlreadyOffered) as refused:
        given.at(minutes(3)).offer("dima", "ivan", manages=False)
    assert (refused.value.member_id, refused.value.at) == ("olena", minutes(2))


def test_only_the_responsible_of_an_active_case_offers_it_and_to_another() -> None:
    with pytest.raises(TakenBy):
        active_case("dima").at(minutes(2)).offer("olena", "ivan", manages=False)
    with pytest.raises(AlreadyResponsible):
        active_case("dima").at(minutes(2)).offer("dima", "dima", manages=False)
    with pytest.raises(NobodyTookIt):
        new_case().at(minutes(2)).offer("dima", "olena", manages=False)
    with pytest.raises(AlreadyDone):
        done_case().at(minutes(5)).offer("dima", "olena", manages=False)


@pytest.mark.parametrize(
    "end",
    [
        lambda c: c.close("dima", manages=False),
        lambda c: c.unassign("dima", manages=False),
        lambda c: c.forward("dima", "grp_2", manages=False),
        lambda c: c.take_over("boss", manages=True),
        lambda c: c.assign("boss", "ivan", manages=True),
    ],
)
def test_an_offer_lapses_with_what_makes_it_pointless(end: Callable[[Conversation], None]) -> None:
    conversation = offered_case().at(minutes(3))
    end(conversation)
    assert conversation.case.offer is None


@pytest.mark.parametrize(
    "end",
    [
        lambda c: c.leave("olena"),
        lambda c: c.remove_participant("dima", "olena", manages=False),
    ],
)
def test_an_offer_to_a_participant_lapses_when_they_go(end: Callable[[Conversation], None]) -> None:
    given = active_case("dima")
    given.at(minutes(2)).add_participant("dima", "olena", manages=False)
    given.at(minutes(2)).offer("dima", "olena", manages=False)
    conversation = given.at(minutes(3))
    end(conversation)
    assert (conversation.case.offer, conversation.case.people) == (None, ("dima",))
