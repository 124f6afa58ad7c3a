"""Each body as the Bot API documents it, and the event that it becomes.

``updates/*.json`` hold the body under ``update`` and the event under ``event`` (a deletion's under
``events``); in place of the event, ``ignored`` names the kind that is counted. All were received
long after Telegram's date, so the event has that date and not the finer instant of receipt.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.events.inbound import InboundDeleted, InboundReceived
from libs.events.registry import encode
from services.ingest.channels.telegram.normalise import (
    NOTHING,
    Ignored,
    Reader,
    is_service,
    kind_of,
)
from services.ingest.channels.telegram.reading import Unreadable, plain, read_update
from services.ingest.channels.telegram.threads import Thread, read_thread
from services.ingest.localization import TEXTS
from tests.support.ingest.service import BOT_ID, IDS, SOURCE_ID

RECEIVED_AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BIRTH = datetime(2013, 8, 14, tzinfo=UTC)
GOLDEN = sorted((Path(__file__).parent / "updates").glob("*.json"))
READER = Reader(SOURCE_ID, BOT_ID, IDS, partial(TEXTS.say, language="uk"))


def event_of(update: dict[str, Any], received_at: datetime = RECEIVED_AT) -> InboundReceived:
    event = outcome_of(update, received_at)
    assert isinstance(event, InboundReceived)
    return event


def outcome_of(
    update: dict[str, Any], received_at: datetime = RECEIVED_AT, origin: str | None = None
) -> InboundReceived | Ignored:
    read = read_update(json.dumps(update).encode())
    outcome = READER.message(read, received_at=received_at, origin=origin)
    if outcome is not NOTHING:
        return outcome
    if is_service(update):
        return Ignored("service_message")
    return READER.message(read, received_at=received_at, origin=origin, unnamed=True)


def golden(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN[0].parent / f"{name}.json").read_text())
    return loaded


def deletions_of(update: dict[str, Any]) -> list[InboundDeleted]:
    read = read_update(json.dumps(update).encode()).deleted_business_messages
    assert read is not None
    return list(READER.deletions(read, RECEIVED_AT))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    case = json.loads(path.read_text())
    raw = json.dumps(case["update"]).encode()
    if "events" in case:
        found = [json.loads(encode(one)) for one in deletions_of(case["update"])]
        assert found == case["events"]
        return

    outcome = outcome_of(case["update"])

    if isinstance(outcome, Ignored):
        kind = kind_of(plain(raw)) if outcome.kind == "other" else outcome.kind
        assert kind == case["ignored"]
    else:
        assert json.loads(encode(outcome)) == case["event"]


def test_a_deletion_names_the_message_that_came_in_by_the_same_connection() -> None:
    message = golden("business_incoming")["update"]
    came = event_of(message)
    gone = golden("deleted_business_messages")["update"]

    [first] = deletions_of(gone)
    [again] = deletions_of(gone | {"update_id": 1})

    assert (first.conversation_id, first.message_id) == (came.conversation_id, came.message_id)
    assert first.customer_id == came.customer_id
    assert first.cause == again.cause != came.cause


def test_a_repeated_update_is_the_same_event() -> None:
    update = golden("text")["update"]
    later = RECEIVED_AT + timedelta(minutes=5)
    assert event_of(update).cause == event_of(update, later).cause


def test_an_edit_is_not_the_message_and_two_edits_in_a_second_are_two() -> None:
    message = golden("text")["update"]
    edit = golden("edited_message")["update"]
    next_edit = edit | {"update_id": edit["update_id"] + 1}
    events = [event_of(one) for one in (message, edit, next_edit)]
    assert len({one.cause for one in events}) == 3
    assert len({one.message_id for one in events}) == 1


def test_a_clock_ahead_of_ours_does_not_bring_facts_from_the_future() -> None:
    update = golden("text")["update"]
    update["message"]["date"] = int((RECEIVED_AT + timedelta(hours=1)).timestamp())
    assert event_of(update).occurred_at == RECEIVED_AT


@pytest.mark.parametrize(
    ("received_after", "occurred_after"),
    [
        (0.0, 0.0),
        (0.123456, 0.123),  # within the second that Telegram told
        (0.999999, 0.999),
        (1.0, 0.999),  # on the way when the second ended: not before what came within it
        (1.999999, 0.999),
        (2.0, 0.0),  # late: when in that second, nobody knows
        (-0.5, -0.5),  # a clock ahead of ours
    ],
)
def test_of_what_comes_at_once_the_instant_within_telegrams_second_is_ours(
    received_after: float, occurred_after: float
) -> None:
    """Telegram's dates are whole seconds: of many in one second, lists would know no order."""
    update = golden("text")["update"]
    told = datetime.fromtimestamp(update["message"]["date"], UTC)
    event = event_of(update, told + timedelta(seconds=received_after))
    assert event.occurred_at == told + timedelta(seconds=occurred_after)
    assert event.occurred_at <= event.received_at


def test_a_business_chat_is_another_conversation_of_the_same_customer() -> None:
    direct = event_of(golden("text")["update"])
    business = event_of(golden("business_incoming")["update"])
    owner = event_of(golden("business_from_owner")["update"])
    assert direct.conversation_id != business.conversation_id == owner.conversation_id
    assert direct.customer_id == business.customer_id == owner.customer_id
    assert (business.direction, owner.direction) == ("incoming", "outgoing")


@pytest.mark.parametrize(
    "thread",
    [
        Thread("42"),
        Thread("-100123"),
        Thread("42", "bc_1", "business"),
        Thread("42", "a:b", "business"),
        Thread("-1001", "7", "topic"),
        Thread("-1001", "42", "direct"),
        Thread("-1001", "42", "ephemeral"),
    ],
)
def test_a_thread_can_be_read_again(thread: Thread) -> None:
    assert read_thread(str(thread)) == thread


@pytest.mark.parametrize("thread", ["", "abc", "business:42", "business::x", "widget:1"])
def test_what_is_no_thread_of_telegram(thread: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_thread(thread)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"message": {}}',
        b'{"update_id": "one"}',
        b'{"update_id": 1, "message": {"message_id": 1}}',
        b"[" * 100_000,
        b'{"update_id": 1, "message": ' + b'{"reply_to_message":' * 50_000,
    ],
)
def test_what_is_no_update(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_update(raw)


@pytest.mark.parametrize("date", [-(10**18), -62_000_000_000, -1, 0, 1, 10**18, "x", None])
def test_a_date_is_that_of_a_time_when_there_was_telegram(date: Any) -> None:
    update = golden("edited_message")["update"]
    message = update["edited_message"]
    for name in ("date", "edit_date"):
        message[name] = date
        told = event_of(update)
        assert BIRTH <= told.occurred_at <= RECEIVED_AT
        assert told.sent_at is not None
        assert BIRTH <= told.sent_at <= RECEIVED_AT


def test_what_claims_to_be_a_name_is_of_a_names_length() -> None:
    update = golden("text")["update"]
    person = update["message"]["from"]
    update["message"]["from"] = {**person, "first_name": "x" * 100_000, "username": "y" * 9_999}
    sender = event_of(update).sender
    assert len(sender.name) < 300
    assert len(sender.username or "") < 300


def test_no_reason_shows_what_was_written() -> None:
    with pytest.raises(Unreadable) as refused:
        read_update(b'{"update_id": 1, "message": {"message_id": "my secret"}}')
    assert "my secret" not in str(refused.value)


def test_bodies_are_what_the_contract_says() -> None:
    for path in GOLDEN:
        case = json.loads(path.read_text())
        if "event" in case:
            msgspec.convert(case["event"], InboundReceived)
