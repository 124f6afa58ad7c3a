"""A blocked customer's messages are kept, and are nobody's concern."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from libs.events.customer import Card
from services.conversation.domain.conversation.blocking import EditWithheld, MessageWithheld
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.customer_profile import CustomerKnown, KnownProfile
from services.conversation.domain.conversation.facts import facts_of
from services.conversation.domain.conversation.life import NoCaseYet
from tests.support.conversation.cases import (
    PLACE,
    Given,
    active_case,
    changes,
    done_case,
    events,
    written,
)
from tests.support.scenarios import minutes


def test_what_a_blocked_customer_writes_opens_no_case() -> None:
    given = done_case()
    given.at(minutes(3)).set_blocked("dima", blocked=True)
    before = given.at(minutes(4)).state

    conversation = given.at(minutes(5))
    conversation.receive(written(2, minutes(5)), PLACE)

    assert changes(conversation) == ["MessageWithheld"]
    assert conversation.state == before


def test_in_an_open_case_it_begins_no_turn_and_moves_nothing() -> None:
    given = active_case()
    given.at(minutes(2)).reply("dima", "msg_a", written(0, minutes(0)).content)
    given.at(minutes(3)).set_blocked("dima", blocked=True)
    before = given.at(minutes(4)).state

    conversation = given.at(minutes(5))
    conversation.receive(written(2, minutes(5)), PLACE)

    assert conversation.case.waiting_since is None
    assert conversation.state == before


def test_once_unblocked_the_next_message_opens_the_next_case() -> None:
    given = done_case()
    given.at(minutes(3)).set_blocked("dima", blocked=True)
    given.at(minutes(4)).receive(written(2, minutes(4)), PLACE)
    given.at(minutes(5)).set_blocked("dima", blocked=False)

    conversation = given.at(minutes(6))
    conversation.receive(written(3, minutes(6)), PLACE)

    assert changes(conversation) == ["CaseOpened", "MessageReceived"]
    assert (conversation.case.number, conversation.case.opened_at) == (2, minutes(6))


def test_in_a_thread_never_seen_before_there_is_no_case_until_they_are_unblocked() -> None:
    given = Given()
    first = given.at(minutes(0))
    first.receive(replace(written(1, minutes(0)), blocked=True), PLACE)
    [event] = events(first)
    assert isinstance(event, MessageWithheld)
    assert first.state is not None
    assert facts_of(first.state).withheld
    again = given.at(minutes(1))
    again.receive(written(2, minutes(1)), PLACE)
    assert changes(again) == ["MessageWithheld"]

    given.at(minutes(2)).set_blocked("dima", blocked=False)
    conversation = given.at(minutes(3))
    conversation.receive(written(3, minutes(3)), PLACE)

    assert (conversation.case.number, conversation.case.state) == (1, "new")
    assert conversation.state is not None
    assert not facts_of(conversation.state).withheld


@pytest.mark.parametrize(
    "act",
    [
        lambda c: c.reopen("boss", manages=True),
        lambda c: c.send_to_crm("boss", manages=True),
        lambda c: c.close("boss", manages=True),
        lambda c: c.take("dima"),
        lambda c: c.assign("boss", "dima", manages=True),
        lambda c: c.reply("dima", "msg_9", written(9, minutes(1)).content),
    ],
)
def test_where_all_was_withheld_there_is_no_case_to_do_anything_with(
    act: Callable[[Conversation], None],
) -> None:
    given = Given()
    given.at(minutes(0)).receive(replace(written(1, minutes(0)), blocked=True), PLACE)

    conversation = given.at(minutes(1))
    with pytest.raises(NoCaseYet):
        act(conversation)
    assert changes(conversation) == []

    # One is opened by hand, and is the first.
    given.at(minutes(2)).open_by_hand("dima", "loc_1", 7)
    case = given.at(minutes(3)).case
    assert (case.number, case.short_number, case.responsible) == (1, 7, "dima")


@pytest.mark.parametrize("edited", [1, 2], ids=["heard", "withheld"])
def test_what_a_blocked_customer_edits_is_withheld_too(edited: int) -> None:
    given = active_case()
    given.at(minutes(2)).set_blocked("dima", blocked=True)
    given.at(minutes(3)).receive(written(2, minutes(3)), PLACE)
    before = given.at(minutes(4)).state

    conversation = given.at(minutes(5))
    conversation.edit(written(edited, minutes(5)), "incoming", PLACE)
    [event] = events(conversation)
    assert isinstance(event, EditWithheld)
    assert (event.message_id, event.content.text) == (f"msg_{edited}", f"message {edited}")
    assert conversation.state == before

    # The account's owner is not blocked, and neither is the customer for ever.
    owner = given.at(minutes(6))
    owner.edit(written(3, minutes(6)), "outgoing", PLACE)
    assert changes(owner) == ["MessageEdited"]
    given.at(minutes(7)).set_blocked("dima", blocked=False)
    again = given.at(minutes(8))
    again.edit(written(edited, minutes(8)), "incoming", PLACE)
    assert changes(again) == ["MessageEdited"]


def test_an_edit_in_a_thread_that_was_not_told_of_the_block_is_withheld() -> None:
    conversation = active_case().at(minutes(2))
    conversation.edit(replace(written(1, minutes(2)), blocked=True), "incoming", PLACE)
    assert changes(conversation) == ["EditWithheld"]


def test_blocking_twice_is_nothing() -> None:
    given = done_case()
    given.at(minutes(3)).set_blocked("dima", blocked=True)
    conversation = given.at(minutes(4))
    conversation.set_blocked("olena", blocked=True)
    assert changes(conversation) == []


def test_an_activity_leaves_the_case_as_it_was_and_keeps_its_time() -> None:
    given = active_case()
    before = given.at(minutes(2)).state
    conversation = given.at(minutes(3))
    conversation.record_activity("bot", "act_1", "ordered", {"sum": 10}, minutes(-60))
    [event] = events(conversation)
    assert (event.at, conversation.state) == (minutes(-60), before)


def test_what_is_known_of_the_customer_already_is_not_told_again() -> None:
    given = active_case()
    same = given.at(minutes(2))
    same.know_customer("dima", known("cus_1", 0))
    assert changes(same) == []
    became = []
    for told in (
        known("cus_2", 1, "Ada"),
        known("cus_2", 1, "Ada"),
        known("cus_2", 2, "Ada"),
        known("cus_2", 3),
        known("cus_1", 0),
    ):
        conversation = given.at(minutes(3))
        conversation.know_customer("dima", told)
        became += [e.became for e in events(conversation) if isinstance(e, CustomerKnown)]
    assert became == ["merged", "edited", "named", "split"]


def test_what_was_known_before_is_not_told_late() -> None:
    given = active_case()
    given.at(minutes(2)).know_customer("dima", known("cus_1", 3, "Ada"))
    late = given.at(minutes(3))
    late.know_customer("dima", known("cus_1", 2, "Grace"))
    assert changes(late) == []

    # Nor what was known before the person was forgotten, be it new to this conversation.
    given.at(minutes(4)).erase_customer("olha", 1, "cus_1", 6)
    for told in (known("cus_1", 3, "Ada"), known("cus_1", 5, "Augusta"), known("cus_1", 6)):
        late = given.at(minutes(5))
        late.know_customer("dima", told)
        assert changes(late) == []

    after = given.at(minutes(6))
    after.know_customer("dima", known("cus_1", 7, "Ada"))
    assert changes(after) == ["CustomerKnown"]


def test_a_merge_that_was_told_of_late_brings_no_name_back() -> None:
    given = active_case()
    given.at(minutes(2)).erase_customer("olha", 1, "cus_2", 4)
    late = given.at(minutes(3))
    late.know_customer("dima", known("cus_2", 3, "Ada"))
    assert changes(late) == []


def known(customer_id: str, edits: int, name: str | None = None) -> KnownProfile:
    return KnownProfile(customer_id, edits, Card(name=name), "reached_out", ())
