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
    TransferAccepted,
    TransferDeclined,
    TransferOffered,
    TransferWithdrawn,
)
from tests.support.conversation.happened import (
    ACTIVE,
    DONE,
    NEW,
    OFFERED,
    SHARED,
    given,
    offered,
)
from tests.support.scenarios import minutes

DECLINED = TransferDeclined(case=1, at=minutes(3), member_id="olena")
WITHDRAWN = TransferWithdrawn(case=1, at=minutes(3), member_id="dima", to="olena")


def test_the_responsible_offers_the_case() -> None:
    given(ACTIVE).when(lambda c: c.offer("dima", "olena", manages=False), minutes(2)).then(
        [TransferOffered(case=1, at=minutes(2), member_id="dima", to="olena")]
    )


def test_an_offer_waits_and_whom_it_is_for_belongs_to_the_case() -> None:
    case = given(OFFERED).at(minutes(3)).case
    assert case.offer == Offer("olena", "dima", minutes(2))
    assert (case.responsible, case.participants) == ("dima", ())
    assert (case.people, case.assignees) == (("dima", "olena"), ("dima",))


def test_accepted_it_is_theirs_and_who_had_it_stays_as_a_participant() -> None:
    conversation = (
        given(OFFERED)
        .when(lambda c: c.accept("olena"), minutes(3))
        .then([TransferAccepted(case=1, at=minutes(3), member_id="olena", joined=("dima",))])
    )
    case = conversation.case
    assert (case.responsible, case.held_since, case.offer) == ("olena", minutes(3), None)
    assert case.participants == ("dima",)


def test_a_participant_to_whom_it_is_offered_stays_one() -> None:
    case = given([*SHARED, offered("dima", "olena", 3)]).at(minutes(4)).case
    assert case.people == ("dima", "olena")


def test_a_participant_who_accepts_is_one_no_longer() -> None:
    conversation = (
        given([*SHARED, offered("dima", "olena", 3)])
        .when(lambda c: c.accept("olena"), minutes(4))
        .then([TransferAccepted(case=1, at=minutes(4), member_id="olena", joined=("dima",))])
    )
    assert (conversation.case.responsible, conversation.case.participants) == ("olena", ("dima",))


def test_declined_the_responsible_is_who_it_was() -> None:
    conversation = given(OFFERED).when(lambda c: c.decline("olena"), minutes(3)).then([DECLINED])
    case = conversation.case
    assert (case.responsible, case.held_since, case.offer) == ("dima", minutes(1), None)


def test_what_was_declined_is_accepted_no_more() -> None:
    given([*OFFERED, DECLINED]).when(lambda c: c.accept("olena")).then_refused(NothingOffered)


@pytest.mark.parametrize("answer", [Conversation.accept, Conversation.decline])
def test_only_whom_it_is_for_answers(answer: Callable[[Conversation, str], None]) -> None:
    given(OFFERED).when(lambda c: answer(c, "ivan")).then_refused(
        OfferedToAnother, member_id="olena"
    )


def test_whom_it_is_for_does_not_withdraw_it() -> None:
    given(OFFERED).when(lambda c: c.withdraw("olena", manages=False)).then_refused(TakenBy)


def test_the_responsible_withdraws_it() -> None:
    conversation = (
        given(OFFERED)
        .when(lambda c: c.withdraw("dima", manages=False), minutes(3))
        .then([WITHDRAWN])
    )
    assert conversation.case.offer is None


def test_what_was_withdrawn_is_withdrawn_no_more() -> None:
    given([*OFFERED, WITHDRAWN]).when(lambda c: c.withdraw("dima", manages=False)).then_refused(
        NothingOffered
    )


def test_the_same_offer_again_is_nothing() -> None:
    given(OFFERED).when(lambda c: c.offer("dima", "olena", manages=False)).then_nothing()


def test_it_is_offered_to_one_at_a_time() -> None:
    given(OFFERED).when(lambda c: c.offer("dima", "ivan", manages=False)).then_refused(
        AlreadyOffered, member_id="olena", at=minutes(2)
    )


def test_only_the_responsible_offers_it() -> None:
    given(ACTIVE).when(lambda c: c.offer("olena", "ivan", manages=False)).then_refused(TakenBy)


def test_it_is_offered_to_another() -> None:
    given(ACTIVE).when(lambda c: c.offer("dima", "dima", manages=False)).then_refused(
        AlreadyResponsible
    )


def test_a_case_that_nobody_took_is_not_offered() -> None:
    given(NEW).when(lambda c: c.offer("dima", "olena", manages=False)).then_refused(NobodyTookIt)


def test_a_case_that_is_done_is_not_offered() -> None:
    given(DONE).when(lambda c: c.offer("dima", "olena", manages=False)).then_refused(AlreadyDone)


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
    then = given(OFFERED).when(end)
    assert len(then.events) == 1
    assert then.aggregate.case.offer is None


@pytest.mark.parametrize(
    "end",
    [
        lambda c: c.leave("olena"),
        lambda c: c.remove_participant("dima", "olena", manages=False),
    ],
)
def test_an_offer_to_a_participant_lapses_when_they_go(end: Callable[[Conversation], None]) -> None:
    then = given([*SHARED, offered("dima", "olena")]).when(end)
    assert len(then.events) == 1
    assert (then.aggregate.case.offer, then.aggregate.case.people) == (None, ("dima",))
