"""What has to hold once everything has come to rest, recounted from what the store keeps."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from libs.events.registry import personal_of
from libs.events.topics import Topic
from libs.eventstore.commits import Commit, PublicMessage
from services.conversation.domain.conversation import corrections, life, messages, sending
from services.conversation.domain.conversation.state import NO_CASE, Case, ConversationState
from services.conversation.domain.events import Event, decode
from tests.support.conversation.machine.broker import Record


def events_of(commits: Sequence[Commit]) -> list[Event[Any]]:
    return [decode(stored.type, stored.data) for commit in commits for stored in commit.events]


def check_every_state(events: Sequence[Event[ConversationState]]) -> None:
    """Exactly one responsible in an active case, in every state that there ever was; where there
    is no case yet none is open, and of who is blocked nothing is heard."""
    state: ConversationState | None = None
    for event in events:
        before, state = state, event.apply(state)
        case = state.case
        assert (case.responsible is not None) == (case.state == "active") or case.state == "done"
        assert len(set(case.people)) == len(case.people)
        assert (case.closed_at is not None) == (case.state == "done")
        assert case.offer is None or case.state == "active"
        assert case.number != NO_CASE or case.state == "done"
        assert before is None or not before.blocked or not _is_heard(event)
        assert before is None or state.active_at >= before.active_at


def _is_heard(event: Event[Any]) -> bool:
    """Whether the customer says something with it, to everybody."""
    if isinstance(event, corrections.MessageEdited):
        return event.direction == "incoming"
    return isinstance(event, messages.MessageReceived)


def check_causes(commits: Sequence[Commit]) -> Counter[str]:
    """How often each cause had an effect: once."""
    causes = Counter(cause for commit in commits for cause in commit.causes)
    assert set(causes.values()) <= {1}, causes
    return causes


@dataclass
class Timers:
    """Of the latest case."""

    opened_at: datetime | None = None
    waiting_since: datetime | None = None
    first_response_at: datetime | None = None
    last_message_at: datetime | None = None
    closed_at: datetime | None = None


def timers_of(case: Case) -> Timers:
    return Timers(
        case.opened_at,
        case.waiting_since,
        case.first_response_at,
        case.last_message_at,
        case.closed_at,
    )


def recounted(events: Sequence[Event[Any]]) -> Timers:
    """The timers by the definitions of the metrics, from the facts and not from the states: as if
    what did not arrive, or was sent once more, had not been sent."""
    failed, latest = _undelivered(events)
    timers = Timers()
    for event in events:
        match event:
            case life.CaseOpened():
                timers = Timers(opened_at=event.at)
            case messages.MessageReceived():
                timers.waiting_since = timers.waiting_since or event.at
            case messages.MessageSent() | sending.MessageResent():
                number = getattr(event, "attempt", 1)
                stands = latest.get(event.message_id, 1) == number
                if stands and (event.message_id, number) not in failed:
                    if timers.waiting_since and timers.first_response_at is None:
                        timers.first_response_at = event.at
                    timers.waiting_since = None
            case life.CaseClosed():
                timers.closed_at = event.at
                timers.waiting_since = None
            case life.CaseReopened():
                timers.closed_at = None
        if isinstance(event, messages.MessageReceived | messages.MessageSent):
            timers.last_message_at = max(timers.last_message_at or event.at, event.at)
    return timers


def _undelivered(events: Sequence[Event[Any]]) -> tuple[set[tuple[str, int]], dict[str, int]]:
    """The sendings that failed, and each message's latest, where it was sent again."""
    failed = {
        (event.message_id, event.attempt)
        for event in events
        if isinstance(event, sending.SendingFailed) and event.state == "failed"
    }
    again = (event for event in events if isinstance(event, sending.MessageResent))
    return failed, {event.message_id: event.attempt for event in again}


def said(type_name: str, body: bytes | None, *, forgotten: bool) -> Any:
    """What was sealed in between is written down anew, so that its fields may change places. What
    was ``forgotten`` meanwhile can be told only without what is personal."""
    fields = msgspec.json.decode(body or b"null")
    for path in personal_of(type_name) if forgotten else ():
        parent, _, name = path.rpartition(".")
        (fields.get(parent, {}) if parent else fields).pop(name, None)
    return fields


def check_told(
    namespace: str,
    streams: Mapping[str, Sequence[PublicMessage]],
    records: Sequence[Record],
    forgotten: Mapping[str, int],
    persons: Collection[str],
) -> None:
    """Nothing lost, nothing more, first appearances in order; a repeat says the same again.

    ``forgotten``: up to which version of each stream; ``persons``: the customers who were."""
    expected = {message.id: message for told in streams.values() for message in told}
    first: dict[str, Record] = {}
    for record in records:
        headers = {name: value.decode() for name, value in record.headers}
        known = first.setdefault(headers["ce_id"], record)
        message = expected[headers["ce_id"]]
        # What tells of another identity's card is forgotten with that one.
        about = msgspec.json.decode(message.data).get("primary_id", "")
        gone = message.sequence <= forgotten.get(message.key, 0) or about in persons
        told = {
            msgspec.json.encode(said(message.type, body, forgotten=gone), order="sorted")
            for body in (record.value, known.value, message.data)
        }
        assert len(told) == 1, told
        assert record.topic == namespace + message.topic
        assert headers["ce_sequence"] == str(message.sequence)
    assert first.keys() == expected.keys()
    for told_of in streams.values():
        for topic in (Topic.CONVERSATION, Topic.CUSTOMER):
            numbered = [m for m in told_of if m.topic == topic.value]
            assert [m.sequence for m in numbered] == list(range(1, len(numbered) + 1))
        # Within a topic: what is asked for on another one has a partition of its own.
        for topic in (Topic.CONVERSATION, Topic.OUTBOUND, Topic.CUSTOMER):
            ids = [m.id for m in told_of if m.topic == topic.value]
            appeared = [name for name in first if name in set(ids)]
            assert appeared == ids
