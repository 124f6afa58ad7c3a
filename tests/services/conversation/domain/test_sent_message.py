"""Delivery states move forward only, whatever order the receipts come in."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from libs.aggregates.aggregate import Snapshot
from libs.events.content import DeliveryState
from services.conversation.domain.sent_message import (
    Receipt,
    SentIn,
    SentMessage,
    SentMessageState,
)
from tests.support.scenarios import NOON, minutes

IN = SentIn(workspace_id="wsp_1", conversation_id="cnv_1", case_id="cnv_1.1")
STATES: tuple[DeliveryState, ...] = (
    "queued",
    "sent",
    "delivered",
    "read",
    "failed",
    "uncertain",
)


def after(*receipts: Receipt) -> SentMessage:
    snapshot: Snapshot[SentMessageState] | None = None
    message = SentMessage("msg_1", None, NOON)
    for receipt in receipts:
        message = SentMessage("msg_1", snapshot, NOON)
        message.receipt(receipt, IN)
        snapshot = message.snapshot() if message.state else None
    return message


def receipt(state: DeliveryState, *external: str) -> Receipt:
    return Receipt(state=state, occurred_at=NOON, external_message_ids=external)


def state_after(*states: DeliveryState) -> DeliveryState | None:
    message = after(*(receipt(state) for state in states))
    return message.state.state if message.state else None


def test_a_receipt_that_is_behind_moves_nothing_back() -> None:
    assert state_after("sent", "delivered", "read") == "read"
    states: tuple[DeliveryState, ...] = ("sent", "delivered", "read")
    for order in permutations(states):
        assert state_after(*order) == "read"


def test_failed_only_from_queued_uncertain_or_sent() -> None:
    assert state_after("failed") == "failed"
    assert state_after("uncertain", "failed") == "failed"
    assert state_after("sent", "failed") == "failed"
    assert state_after("delivered", "failed") == "delivered"
    assert state_after("failed", "sent") == "failed"


def test_a_later_word_settles_what_was_uncertain() -> None:
    assert state_after("uncertain", "sent") == "sent"
    assert state_after("sent", "uncertain") == "sent"


def test_that_a_message_is_queued_is_nothing_new() -> None:
    assert after(receipt("queued")).changes == []


def test_the_platforms_ids_are_kept_also_from_a_receipt_that_is_behind() -> None:
    message = after(receipt("delivered"), receipt("sent", "77", "78"), receipt("sent", "78"))
    assert message.state is not None
    assert message.state.external_message_ids == ("77", "78")
    assert (message.state.state, message.version) == ("delivered", 2)


def test_why_it_failed_is_kept() -> None:
    failed = Receipt(
        state="failed", occurred_at=minutes(1), reason="bot was blocked", reason_code="blocked"
    )
    message = after(failed, receipt("sent", "77"))
    assert message.state is not None
    assert (message.state.state, message.state.reason_code) == ("failed", "blocked")


@given(st.lists(st.sampled_from(STATES)), st.sampled_from(STATES))
def test_a_receipt_that_comes_twice_changes_nothing_the_second_time(
    before: list[DeliveryState], repeated: DeliveryState
) -> None:
    receipts = [receipt(state) for state in before]
    assert after(*receipts, receipt(repeated), receipt(repeated)).changes == []


@given(st.lists(st.sampled_from(STATES)))
def test_the_end_is_the_end(states: list[DeliveryState]) -> None:
    reached = [state_after(*states[:n]) for n in range(1, len(states) + 1)]
    for end in ("read", "failed"):
        if end in reached:
            assert set(reached[reached.index(end) :]) == {end}
