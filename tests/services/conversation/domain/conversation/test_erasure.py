"""What stays of a conversation whose customer was forgotten, and how it goes on."""

from typing import Any

import msgspec
import pytest

from libs.events.content import Content
from libs.events.customer import Card
from services.conversation.domain import events as stored
from services.conversation.domain.conversation.customer_profile import KnownProfile
from services.conversation.domain.conversation.erasure import CustomerErased
from services.conversation.domain.conversation.life import NobodyToAnswer
from services.conversation.domain.conversation.messages import MessageReceived
from services.conversation.domain.conversation.state import ConversationState, KnownAs
from tests.support.conversation.cases import (
    PLACE,
    active_case,
    changes,
    done_case,
    events,
    new_case,
    written,
)
from tests.support.conversation.stored import EXAMPLES
from tests.support.scenarios import NOON, minutes

HELLO = Content(text="hello")


def texts_in(value: Any) -> set[str]:
    """Every text in a value of JSON that is long enough to be looked for."""
    match value:
        case str():
            return {value} if len(value) > 1 else set()
        case dict():
            return {text for one in value.values() for text in texts_in(one)}
        case list():
            return {text for one in value for text in texts_in(one)}
    return set()


def test_of_the_customer_nothing_stays_in_the_state() -> None:
    first = EXAMPLES["conversation.case-opened.v1"]
    state: ConversationState = first.apply(None)
    names = [n for n in EXAMPLES if n.startswith("conversation.") and "delivery" not in n]
    for name in names:
        after = EXAMPLES[name].apply(state)
        if isinstance(after, ConversationState):
            state = after
    said = {
        text
        for name in names
        for field in stored.personal(name)
        for text in texts_in(msgspec.to_builtins(getattr(EXAMPLES[name], field)))
    }
    shown = msgspec.json.encode(state).decode()
    assert any(text in shown for text in said)

    erased = CustomerErased(at=NOON, case=2, member_id="mem_1", erasure=1, upto=99).apply(state)

    left = texts_in(msgspec.to_builtins(erased))
    assert not left & said


def test_times_and_counts_stay() -> None:
    given = active_case("dima")
    before = given.at(minutes(3))
    erasing = given.at(minutes(4))

    erasing.erase_customer("olha", 1)

    assert changes(erasing) == ["CustomerErased"]
    assert erasing.state
    assert before.state
    assert erasing.case == before.case
    assert erasing.state.active_at == before.state.active_at
    assert erasing.state.last_message
    assert erasing.state.last_message.occurred_at == minutes(0)
    assert (erasing.state.erasures, erasing.state.forgotten) == (1, erasing.version)


def test_lists_find_the_customer_where_they_stand_and_not_by_what_is_on_the_card() -> None:
    given = active_case("dima")
    card = Card(name="Ada Lovelace", phone="+380501112233", email="a@x.example", tags=("vip",))
    known = KnownProfile("cus_1", 3, card, "interested", ("pln_1",))
    given.at(minutes(2)).know_customer("dima", known)

    erasing = given.at(minutes(3))
    erasing.erase_customer("olha", 1)

    assert erasing.state
    assert erasing.state.known_as == KnownAs(
        "cus_1", edits=3, funnel_status="interested", sales_plans=("pln_1",)
    )


def test_it_is_done_once_for_each_erasure_of_the_person() -> None:
    given = new_case()
    for number, happened in ((2, ["CustomerErased"]), (2, []), (1, []), (3, ["CustomerErased"])):
        conversation = given.at(minutes(1))
        conversation.erase_customer("olha", number)
        assert changes(conversation) == happened


def test_nobody_can_be_answered_until_the_customer_writes_again() -> None:
    given = active_case("dima")
    given.at(minutes(2)).erase_customer("olha", 1)
    with pytest.raises(NobodyToAnswer):
        given.at(minutes(3)).reply("dima", "msg_a", HELLO)

    given.at(minutes(4)).receive(written(2, minutes(4)), PLACE)
    again = given.at(minutes(5))
    again.reply("dima", "msg_a", HELLO)

    assert again.state
    assert (again.state.thread.thread, again.state.customer_name) == ("100", "Ada")
    assert changes(again) == ["MessageSent"]


def test_a_message_tells_its_thread_only_where_it_was_forgotten() -> None:
    given = new_case()
    given.at(minutes(1)).erase_customer("olha", 1)
    threads = []
    for number in (2, 3):
        conversation = given.at(minutes(number))
        conversation.receive(written(number, minutes(number)), PLACE)
        [event] = events(conversation)
        assert isinstance(event, MessageReceived)
        threads.append(event.thread)
    assert threads == ["100", ""]


def test_the_next_case_after_an_erasure_knows_its_thread_again() -> None:
    given = done_case()
    given.at(minutes(3)).erase_customer("olha", 1)

    following = given.at(minutes(4))
    following.receive(written(2, minutes(4)), PLACE)

    assert changes(following) == ["CaseOpened", "MessageReceived"]
    assert following.state
    assert following.state.thread.thread == "100"
