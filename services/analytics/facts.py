"""What an event of a conversation tells the figures: rows of facts, without names or text."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from libs.events.conversation import (
    CaseAssigned,
    CaseClosed,
    CaseFacts,
    CaseForwarded,
    CaseOpened,
    CaseReopened,
    CaseRouted,
    CaseTaken,
    CaseUnassigned,
    ConversationEvent,
    MessageReceived,
    MessageSent,
)
from libs.events.envelope import Envelope
from libs.events.instants import EARLIEST, LATEST, utc_of

# Only these bring a case to another state; all others leave it in the one it was in.
_MOVES: Final = (
    CaseOpened,
    CaseRouted,
    CaseTaken,
    CaseAssigned,
    CaseUnassigned,
    CaseForwarded,
    CaseClosed,
    CaseReopened,
)


class NotAnInstant(Exception):
    """A time of the event is outside of what can be kept."""


class CaseVersion(NamedTuple):
    workspace: str
    case_id: str
    sequence: int
    conversation_id: str
    source_id: str
    channel: str
    location_id: str
    group_id: str | None
    customer_id: str
    state: str
    opened_at: datetime
    opened_by: str
    is_repeat: bool
    responsible: str | None
    waiting_since: datetime | None
    first_response_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None


class StateReached(NamedTuple):
    workspace: str
    event_id: str
    case_id: str
    sequence: int
    state: str
    at: datetime


class Turn(NamedTuple):
    workspace: str
    event_id: str
    case_id: str
    sequence: int
    source_id: str
    channel: str
    location_id: str
    group_id: str | None
    started_at: datetime


class TeamResponse(NamedTuple):
    workspace: str
    event_id: str
    case_id: str
    sequence: int
    source_id: str
    channel: str
    location_id: str
    group_id: str | None
    member_id: str | None
    responsible: str | None
    waiting_since: datetime
    answered_at: datetime
    is_first: bool


Fact = CaseVersion | StateReached | Turn | TeamResponse

TABLES: Final[dict[type[Fact], str]] = {
    CaseVersion: "case_versions",
    StateReached: "case_states",
    Turn: "customer_turns",
    TeamResponse: "team_responses",
}


def facts_of(envelope: Envelope) -> list[Fact]:
    """The facts of one event; none where it is not about a case. Errors: NotAnInstant."""
    if not isinstance(envelope.body, ConversationEvent) or envelope.body.case.withheld:
        return []
    facts = list(_facts(envelope, envelope.body))
    for fact in facts:
        for name, value in zip(fact._fields, fact, strict=True):
            if isinstance(value, datetime) and utc_of(value) is None:
                years = f"{EARLIEST.year} to {LATEST.year - 1}"
                raise NotAnInstant(f"{name} is outside of the years {years}")
    return facts


def _facts(envelope: Envelope, event: ConversationEvent) -> Iterator[Fact]:
    workspace, sequence, case = envelope.workspace_id, envelope.sequence, event.case
    place = (case.source_id, str(case.channel), case.location_id, case.group_id)
    yield _version(workspace, sequence, case)
    if isinstance(event, _MOVES):
        yield StateReached(
            workspace, envelope.id, case.case_id, sequence, case.state, envelope.time
        )
    if isinstance(event, MessageReceived) and event.starts_turn:
        started_at = case.waiting_since or event.message.occurred_at
        yield Turn(workspace, envelope.id, case.case_id, sequence, *place, started_at)
    if isinstance(event, MessageSent) and event.response is not None:
        response = event.response
        yield TeamResponse(
            workspace,
            envelope.id,
            case.case_id,
            sequence,
            *place,
            response.member_id,
            case.responsible,
            response.waiting_since,
            response.answered_at,
            response.is_first,
        )


def _version(workspace: str, sequence: int, case: CaseFacts) -> CaseVersion:
    return CaseVersion(
        workspace=workspace,
        case_id=case.case_id,
        sequence=sequence,
        conversation_id=case.conversation_id,
        source_id=case.source_id,
        channel=str(case.channel),
        location_id=case.location_id,
        group_id=case.group_id,
        customer_id=case.customer_id,
        state=case.state,
        opened_at=case.opened_at,
        opened_by=case.opened_by,
        is_repeat=case.repeat,
        responsible=case.responsible,
        waiting_since=case.waiting_since,
        first_response_at=case.first_response_at,
        closed_at=case.closed_at,
        closed_by=case.closed_by,
    )
