"""In whose hands a case is: assign, unassign, take over, forward; and until when."""

import pytest

from services.conversation.domain.conversation.assignment import CaseAssigned, TransferNeeded
from services.conversation.domain.conversation.life import AlreadyDone, NobodyTookIt, TakenBy
from services.conversation.domain.conversation.opening import HasOpenCase
from tests.support.conversation.cases import (
    PLACE,
    Given,
    active_case,
    changes,
    done_case,
    events,
    new_case,
    written,
)
from tests.support.scenarios import minutes


def a_repeat_case(before: str = "dima") -> Given:
    given = done_case(before)
    given.at(minutes(3)).receive(written(2, minutes(3)), PLACE)
    return given


def test_a_new_case_is_assigned_by_anybody_with_a_due_date() -> None:
    conversation = new_case().at(minutes(1))
    conversation.assign("olena", "dima", minutes(90), manages=False)
    case = conversation.case
    assert (case.state, case.responsible, case.held_since) == ("active", "dima", minutes(1))
    assert case.due_at == minutes(90)


def test_of_a_repeat_case_assigned_to_another_the_former_responsible_is_a_participant() -> None:
    conversation = a_repeat_case("dima").at(minutes(4))
    conversation.assign("olena", "ivan", manages=False)
    assert (conversation.case.responsible, conversation.case.participants) == ("ivan", ("dima",))
    [event] = events(conversation)
    assert isinstance(event, CaseAssigned)


def test_an_active_case_is_handed_on_by_transfer_and_not_by_others_at_all() -> None:
    given = active_case("dima")
    with pytest.raises(TransferNeeded):
        given.at(minutes(2)).assign("dima", "olena", manages=False)
    with pytest.raises(TakenBy):
        given.at(minutes(2)).assign("ivan", "olena", manages=False)
    with pytest.raises(AlreadyDone):
        done_case().at(minutes(5)).assign("boss", "olena", manages=True)


def test_who_manages_cases_reassigns_and_the_former_stays_as_a_participant() -> None:
    conversation = active_case("dima").at(minutes(2))
    conversation.assign("boss", "olena", manages=True)
    assert (conversation.case.responsible, conversation.case.participants) == ("olena", ("dima",))
    conversation.assign("boss", "dima", manages=True)
    assert (conversation.case.responsible, conversation.case.participants) == ("dima", ("olena",))


def test_who_had_it_and_answers_nobody_any_more_does_not_stay() -> None:
    def olena_alone(member_id: str) -> bool:
        return member_id == "olena"

    taken_away = active_case("dima").at(minutes(2))
    taken_away.assign("boss", "olena", manages=True, answers=olena_alone)
    assert taken_away.case.participants == ()
    taken_over = active_case("dima").at(minutes(2))
    taken_over.take_over("boss", manages=True, answers=olena_alone)
    assert taken_over.case.participants == ()
    given = active_case("dima")
    given.at(minutes(2)).unassign("dima", manages=False)
    taken = given.at(minutes(3))
    taken.take("olena", answers=olena_alone)
    assert taken.case.participants == ()
    accepted = given.at(minutes(4))
    accepted.offer("olena", "ivan", manages=False)
    accepted.accept("ivan", answers=olena_alone)
    assert accepted.case.participants == ("olena",)


def test_assigning_whom_it_is_assigned_to_changes_the_due_date_at_most() -> None:
    given = active_case("dima")
    conversation = given.at(minutes(2))
    conversation.assign("dima", "dima", manages=False)
    assert changes(conversation) == []
    conversation.assign("dima", "dima", minutes(60), manages=False)
    assert changes(conversation) == ["CaseDueChanged"]


def test_the_due_date_stays_with_the_case_until_it_is_done() -> None:
    given = new_case()
    given.at(minutes(1)).set_due("ivan", minutes(60), manages=False)
    given.at(minutes(2)).take("dima")
    with pytest.raises(TakenBy):
        given.at(minutes(3)).set_due("ivan", None, manages=False)
    same = given.at(minutes(3))
    same.set_due("dima", minutes(60), manages=False)
    assert changes(same) == []
    given.at(minutes(4)).unassign("dima", manages=False)
    assert given.at(minutes(4)).case.due_at == minutes(60)
    given.at(minutes(5)).close("boss", manages=True)
    assert given.at(minutes(5)).case.due_at is None


def test_unassigned_it_is_in_new_again_and_shows_who_had_it() -> None:
    given = active_case("dima")
    with pytest.raises(TakenBy):
        given.at(minutes(2)).unassign("olena", manages=False)
    waiting = given.at(minutes(2)).case.waiting_since
    conversation = given.at(minutes(2))
    conversation.unassign("dima", manages=False)
    case = conversation.case
    assert (case.state, case.responsible, case.held_since) == ("new", None, None)
    assert (case.responsible_before, case.waiting_since) == ("dima", waiting)
    with pytest.raises(NobodyTookIt):
        given.at(minutes(3)).unassign("boss", manages=True)
    given.at(minutes(4)).take("olena")
    assert given.at(minutes(4)).case.participants == ("dima",)


def test_forwarded_it_is_in_the_new_of_the_group() -> None:
    given = active_case("dima")
    with pytest.raises(TakenBy):
        given.at(minutes(2)).forward("olena", "grp_2", manages=False)
    conversation = given.at(minutes(2))
    conversation.forward("dima", "grp_2", manages=False)
    case = conversation.case
    assert (case.state, case.group_id, case.responsible) == ("new", "grp_2", None)
    assert case.responsible_before == "dima"
    again = given.at(minutes(3))
    again.forward("olena", "grp_2", manages=False)
    assert changes(again) == []
    again.forward("olena", "grp_3", manages=False)
    assert again.case.group_id == "grp_3"


def test_an_active_case_is_taken_over_by_who_manages_cases_only() -> None:
    given = active_case("dima")
    with pytest.raises(TakenBy):
        given.at(minutes(2)).take_over("olena", manages=False)
    conversation = given.at(minutes(2))
    conversation.take_over("boss", manages=True)
    assert (conversation.case.responsible, conversation.case.participants) == ("boss", ("dima",))
    again = given.at(minutes(3))
    again.take_over("boss", manages=True)
    assert changes(again) == []
    with pytest.raises(NobodyTookIt):
        new_case().at(minutes(1)).take_over("boss", manages=True)


def test_by_hand_a_case_is_opened_where_none_is_open_and_whoever_opened_it_has_it() -> None:
    given = active_case("dima")
    with pytest.raises(HasOpenCase) as refused:
        given.at(minutes(2)).open_by_hand("olena", "loc_2", 8)
    assert refused.value.member_id == "dima"
    given.at(minutes(3)).close("dima", manages=False)
    conversation = given.at(minutes(4))
    conversation.open_by_hand("olena", "loc_2", 8)
    case = conversation.case
    assert (case.state, case.case_id, case.short_number) == ("active", "cnv_1.2", 8)
    assert (case.opened_by, case.opened_at, case.location_id) == ("team", minutes(4), "loc_2")
    assert (case.responsible, case.participants) == ("olena", ("dima",))
    assert (case.waiting_since, case.first_response_at) == (None, None)
