"""A customer: the card, the funnel, subscriptions, blocking, merge and split."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.customer import Visit
from services.conversation.domain.customer.card import (
    FIELDS_AT_MOST,
    SALES_PLANS_AT_MOST,
    CardEdited,
    MergedAway,
    SalesPlansChanged,
    TooManyCustomerFields,
    TooManySalesPlans,
    VisitRecorded,
)
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.identities import NotMerged, primary_of
from services.conversation.domain.customer.state import NAMES_KEPT, VISITS_KEPT, By, CustomerState
from services.conversation.domain.customer.subscriptions import Subscribed
from services.conversation.domain.events import Event, decode, encode, name_of
from tests.support.scenarios import NOON, minutes

BY = By("wsp_1", "dima")


class Known:
    """A customer that goes on: each step is decided at a time of its own, then kept."""

    def __init__(self, stream: str = "cus_1") -> None:
        self._customer = Customer(stream, None, NOON)

    def at(self, now: datetime) -> Customer:
        snapshot = self._customer.snapshot() if self._customer.version else None
        self._customer = Customer(self._customer.stream, snapshot, now)
        return self._customer

    @property
    def state(self) -> CustomerState:
        assert self._customer.state is not None
        return self._customer.state


def events(customer: Customer) -> Sequence[Event[Any]]:
    return [change.event for change in customer.changes]


def test_only_what_changes_is_written_down() -> None:
    known = Known()
    known.at(minutes(0)).edit_card(BY, {"name": "Ada", "tags": ("vip",)})
    customer = known.at(minutes(1))
    customer.edit_card(BY, {"name": "Ada", "phone": "+380501112233", "tags": ()})

    [event] = events(customer)
    assert isinstance(event, CardEdited)
    assert event.card == {"phone": "+380501112233", "tags": ()}
    card = known.state.card
    assert (card.name, card.phone, card.tags) == ("Ada", "+380501112233", ())
    again = known.at(minutes(2))
    again.edit_card(BY, {"name": "Ada", "email": None})
    assert events(again) == []


def test_custom_fields_are_bounded() -> None:
    known = Known()
    known.at(NOON).edit_card(BY, {}, {f"fld_{n}": n for n in range(FIELDS_AT_MOST)})
    with pytest.raises(TooManyCustomerFields):
        known.at(minutes(1)).edit_card(BY, {}, {"fld_more": 1})


def test_sales_plans_are_added_and_removed_and_bounded() -> None:
    known = Known()
    known.at(minutes(0)).change_sales_plans(BY, ["summer", "summer"], ["autumn"])
    customer = known.at(minutes(1))
    customer.change_sales_plans(BY, ["autumn", "summer"], ["summer"])
    [event] = events(customer)
    assert isinstance(event, SalesPlansChanged)
    assert (event.plans_added, event.plans_removed) == (("autumn",), ("summer",))
    assert known.state.sales_plans == ("autumn",)
    with pytest.raises(TooManySalesPlans):
        known.at(minutes(2)).change_sales_plans(BY, map(str, range(SALES_PLANS_AT_MOST)), [])


def test_the_first_visit_stays_and_what_is_kept_is_bounded() -> None:
    known = Known()
    for n in range(VISITS_KEPT + 20):
        visit = Visit(at=minutes(n), tool=f"tool {n % 3}", google_id=f"GA{n}")
        known.at(minutes(n)).record_visit(BY, visit)
    state = known.state
    assert (len(state.visits), len(state.google_ids)) == (VISITS_KEPT, NAMES_KEPT)
    assert (state.visits[0].google_id, state.visits[-1].google_id) == ("GA0", "GA69")
    assert state.tools == ("tool 0", "tool 1", "tool 2")


def test_a_visit_is_not_later_than_its_recording() -> None:
    customer = Known().at(minutes(0))
    customer.record_visit(BY, Visit(at=minutes(10), tool="button"))
    [event] = events(customer)
    assert isinstance(event, VisitRecorded)
    assert event.visit is not None
    assert (event.at, event.visit.at) == (minutes(0), minutes(0))


def test_who_refused_mailings_may_subscribe_again() -> None:
    known = Known()
    known.at(minutes(0)).subscribe(BY)
    known.at(minutes(1)).unsubscribe(BY)
    assert known.state.subscription == "unsubscribed"
    customer = known.at(minutes(2))
    customer.subscribe(BY)
    [event] = events(customer)
    assert isinstance(event, Subscribed)
    assert (event.again, known.state.subscription) == (True, "resubscribed")


def test_block_and_unblock_say_who_and_when() -> None:
    known = Known()
    known.at(minutes(0)).block(BY)
    twice = known.at(minutes(1))
    twice.block(By("wsp_1", "olena"))
    assert events(twice) == []
    assert (known.state.blocked_by, known.state.blocked_at) == ("dima", minutes(0))
    known.at(minutes(2)).unblock(BY)
    assert not known.state.blocked


def test_of_an_identity_what_is_known_stands_with_its_primary() -> None:
    known = Known()
    known.at(minutes(0)).merge_into(BY, "cus_2")
    again = known.at(minutes(1))
    again.merge_into(BY, "cus_2")
    assert events(again) == []
    customer = known.at(minutes(2))
    acts: list[Callable[[], None]] = [
        lambda: customer.edit_card(BY, {"name": "Ada"}),
        lambda: customer.move_in_funnel(BY, "customer"),
        lambda: customer.change_sales_plans(BY, ["x"], []),
        lambda: customer.record_visit(BY, Visit(at=NOON)),
        lambda: customer.block(BY),
        lambda: customer.merge_into(BY, "cus_3"),
    ]
    for refused in acts:
        with pytest.raises(MergedAway) as refusal:
            refused()
        assert refusal.value.primary_id == "cus_2"
    customer.unsubscribe(BY)
    assert known.state.subscription == "unsubscribed"


def test_what_was_not_merged_cannot_be_split() -> None:
    with pytest.raises(NotMerged):
        Known().at(minutes(0)).split(BY)


PEOPLE = [f"cus_{n}" for n in range(6)]
_person = st.sampled_from(PEOPLE)


def _pointers(people: dict[str, Known]) -> dict[str, str]:
    customers = {name: known.at(NOON) for name, known in people.items()}
    return {
        name: customer.state.merged_into
        for name, customer in customers.items()
        if customer.state and customer.state.merged_into
    }


def _sets(people: dict[str, Known]) -> dict[str, frozenset[str]]:
    """The sets of customers by their primaries."""
    pointers = _pointers(people)
    primaries = {name: primary_of(name, pointers) for name in people}
    return {
        primary: frozenset(name for name, its in primaries.items() if its == primary)
        for primary in primaries.values()
    }


@given(st.lists(st.tuples(_person, _person), max_size=12), st.booleans())
def test_everyone_is_in_one_set_whose_primary_is_in_it_and_a_split_restores(
    merges: list[tuple[str, str]], racing: bool
) -> None:
    people = {name: Known(name) for name in PEOPLE}
    for merged, into in merges:
        # Who races has seen the sets as they were before the others' merges.
        primaries = {p: p for p in PEOPLE} if racing else _primaries(people)
        one, other = primaries[merged], primaries[into]
        if one == other or (people[one].at(NOON).state is not None and racing):
            continue
        before = _sets(people)
        people[one].at(NOON).merge_into(BY, other)
        after = _sets(people)

        assert sorted(name for members in after.values() for name in members) == PEOPLE
        assert all(primary in members for primary, members in after.items())
        if not racing:
            assert after[other] == before[one] | before[other]
            people[one].at(NOON).split(BY)
            assert _sets(people) == before
            people[one].at(NOON).merge_into(BY, other)


def _primaries(people: dict[str, Known]) -> dict[str, str]:
    pointers = _pointers(people)
    return {name: primary_of(name, pointers) for name in people}


def test_of_two_merged_into_each_other_at_once_the_smaller_id_is_the_primary() -> None:
    pointers = {"cus_1": "cus_2", "cus_2": "cus_1", "cus_0": "cus_2"}
    assert {primary_of(name, pointers) for name in pointers} == {"cus_1"}


def test_what_is_stored_gives_the_same_state_again() -> None:
    known = Known()
    customer = known.at(minutes(0))
    customer.edit_card(BY, {"name": "Ada", "tags": ("vip", "new")})
    customer.move_in_funnel(BY, "desire")
    customer.change_sales_plans(BY, ["autumn"], [])
    customer.record_visit(BY, Visit(at=NOON, tool="x", utm={"source": "insta"}))
    customer.block(BY)
    customer.unsubscribe(BY)
    customer.merge_into(BY, "cus_2")
    state: CustomerState | None = None
    for event in events(customer):
        state = decode(name_of(event), encode(event)).apply(state)
    assert state == known.state
