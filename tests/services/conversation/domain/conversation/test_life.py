"""The life of a case: open, route, take, close, reopen."""

import pytest

from services.conversation.domain.conversation.life import (
    AlreadyDone,
    CaseReopened,
    CaseRouted,
    CaseTaken,
    NobodyTookIt,
    StillOpen,
    TakenBy,
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


def test_the_first_message_opens_a_case_in_new() -> None:
    conversation = Given().at(minutes(0))
    conversation.receive(written(1, minutes(0)), PLACE)
    assert changes(conversation) == ["CaseOpened", "MessageReceived"]
    assert (conversation.case.state, conversation.case.repeat) == ("new", False)
    assert conversation.case.case_id == "cnv_1.1"


def test_with_an_autoforward_rule_a_new_case_waits_in_routing() -> None:
    given = new_case(ROUTED)
    assert given.at(minutes(0)).case.state == "routing"

    routed = given.at(minutes(0.1))
    routed.route("cnv_1.1", "grp_1")
    assert (routed.case.state, routed.case.group_id) == ("new", "grp_1")
    [event] = events(routed)
    assert isinstance(event, CaseRouted)
    assert event.reason == "autoforward"


def test_a_case_that_waited_too_long_is_new_undecided_and_a_late_decision_is_nothing() -> None:
    given = new_case(ROUTED)
    timed_out = given.at(minutes(0.2))
    timed_out.route("cnv_1.1", None, timed_out=True)
    [event] = events(timed_out)
    assert isinstance(event, CaseRouted)
    assert event.reason == "undecided"

    late = given.at(minutes(0.3))
    late.route("cnv_1.1", "grp_1")
    assert changes(late) == []


def test_a_decision_on_another_case_is_nothing() -> None:
    conversation = new_case(ROUTED).at(minutes(1))
    conversation.route("cnv_1.2", "grp_1")
    assert changes(conversation) == []


def test_the_first_who_takes_is_responsible() -> None:
    conversation = new_case().at(minutes(1))
    conversation.take("dima")
    assert (conversation.case.state, conversation.case.responsible) == ("active", "dima")


def test_the_second_who_takes_is_told_who_and_when() -> None:
    given = active_case("dima")
    with pytest.raises(TakenBy) as refused:
        given.at(minutes(5)).take("olena")
    assert (refused.value.member_id, refused.value.since) == ("dima", minutes(1))


def test_taking_what_one_holds_changes_nothing() -> None:
    conversation = active_case("dima").at(minutes(5))
    conversation.take("dima")
    assert changes(conversation) == []


def test_a_done_case_cannot_be_taken() -> None:
    with pytest.raises(AlreadyDone):
        done_case("dima").at(minutes(5)).take("olena")


def test_of_a_repeat_case_taken_by_another_the_former_responsible_becomes_a_participant() -> None:
    given = done_case("dima")
    given.at(minutes(3)).receive(written(2, minutes(3)), PLACE)
    conversation = given.at(minutes(4))
    assert conversation.case.responsible_before == "dima"
    conversation.take("olena")
    assert (conversation.case.responsible, conversation.case.participants) == ("olena", ("dima",))
    [event] = events(conversation)
    assert isinstance(event, CaseTaken)


def test_only_the_responsible_closes() -> None:
    given = active_case("dima")
    with pytest.raises(TakenBy):
        given.at(minutes(2)).close("olena", manages=False)
    conversation = given.at(minutes(3))
    conversation.close("dima", manages=False)
    assert (conversation.case.state, conversation.case.closed_by) == ("done", "dima")
    assert conversation.case.closed_at == minutes(3)


def test_who_manages_cases_closes_any() -> None:
    conversation = active_case("dima").at(minutes(2))
    conversation.close("boss", manages=True)
    assert conversation.case.closed_by == "boss"


def test_a_new_case_has_to_be_taken_before_it_is_closed_but_a_manager_need_not() -> None:
    given = new_case()
    with pytest.raises(NobodyTookIt):
        given.at(minutes(2)).close("dima", manages=False)
    conversation = given.at(minutes(2))
    conversation.close("boss", manages=True)
    assert conversation.case.state == "done"


def test_who_may_closes_what_nobody_took_but_not_what_somebody_did() -> None:
    conversation = new_case().at(minutes(2))
    conversation.close("moderator", manages=False, untaken=True)
    assert (conversation.case.state, conversation.case.responsible) == ("done", None)
    with pytest.raises(TakenBy):
        active_case("dima").at(minutes(2)).close("moderator", manages=False, untaken=True)


def test_closing_twice_is_nothing_to_who_closed_and_refused_to_others() -> None:
    given = done_case("dima")
    conversation = given.at(minutes(5))
    conversation.close("dima", manages=False)
    assert changes(conversation) == []
    with pytest.raises(AlreadyDone):
        conversation.close("olena", manages=True)


def test_whoever_reopens_has_the_case() -> None:
    conversation = done_case("dima").at(minutes(5))
    conversation.reopen("olena", manages=False)
    case = conversation.case
    assert (case.state, case.case_id, case.responsible) == ("active", "cnv_1.1", "olena")
    assert (case.participants, case.closed_at, case.held_since) == (("dima",), None, minutes(5))


def test_a_manager_who_reopens_puts_the_case_back_to_its_responsible() -> None:
    conversation = done_case("dima").at(minutes(5))
    conversation.reopen("boss", manages=True)
    [event] = events(conversation)
    assert isinstance(event, CaseReopened)
    assert (event.member_id, conversation.case.responsible) == ("boss", "dima")
    assert conversation.case.held_since == minutes(1)


def test_a_manager_who_reopens_the_case_of_one_who_left_has_it() -> None:
    gone = done_case("dima").at(minutes(5))
    gone.reopen("boss", manages=True, answers=lambda _: False, may_have_it=lambda _: False)
    assert (gone.case.responsible, gone.case.participants) == ("boss", ())

    elsewhere = done_case("dima").at(minutes(5))
    elsewhere.reopen("boss", manages=True, may_have_it=lambda _: False)
    assert (elsewhere.case.responsible, elsewhere.case.participants) == ("boss", ("dima",))


def test_a_manager_who_reopens_what_nobody_had_taken_has_it() -> None:
    given = new_case()
    given.at(minutes(1)).close("boss", manages=True)
    conversation = given.at(minutes(2))
    conversation.reopen("boss", manages=True)
    assert conversation.case.responsible == "boss"


def test_only_a_done_case_is_reopened_and_not_while_a_newer_one_is_open() -> None:
    with pytest.raises(StillOpen):
        active_case().at(minutes(5)).reopen("dima", manages=False)
    given = done_case()
    given.at(minutes(3)).receive(written(2, minutes(3)), PLACE)
    with pytest.raises(StillOpen):
        given.at(minutes(4)).reopen("dima", manages=False)


def test_recorded_times_do_not_run_backwards() -> None:
    given = active_case()
    conversation = given.at(minutes(-10))
    conversation.close("dima", manages=False)
    assert conversation.now == minutes(1)
    assert conversation.case.closed_at == minutes(1)
