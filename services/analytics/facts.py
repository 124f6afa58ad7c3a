"""What an event of a conversation tells the figures: rows of facts, without names or text."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from libs.events.conversation.case import (
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
    MemberGone,
)
from libs.events.conversation.message import (
    AnswerTakenBack,
    MessageReceived,
    MessageResent,
    MessageSent,
    Response,
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
    MemberGone,
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
    stated_by: int


class Withdrawn(NamedTuple):
    workspace: str
    case_id: str
    stated_by: int


class FirstTakenBack(NamedTuple):
    workspace: str
    case_id: str
    sequence: int
    first_response_at: datetime | None


Fact = CaseVersion | StateReached | Turn | TeamResponse | Withdrawn | FirstTakenBack

TABLES: Final[dict[type[Fact], str]] = {
    CaseVersion: "case_versions",
    StateReached: "case_states",
    Turn: "customer_turns",
    TeamResponse: "team_responses",
    Withdrawn: "withdrawn",
    FirstTakenBack: "first_responses_taken_back",
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
    match event:
        case (
            MessageSent(response=Response() as response)
            | MessageResent(response=Response() as response)
        ):
            yield _response(envelope, event, response, sequence, case.case_id, case.responsible)
        case AnswerTakenBack():
            yield from _taken_back(envelope, event)


def _taken_back(envelope: Envelope, event: AnswerTakenBack) -> Iterator[Fact]:
    workspace, case_id = envelope.workspace_id, event.answered_case_id
    for stated_by in event.withdrawn:
        yield Withdrawn(workspace, case_id, stated_by)
    instead, place = event.response, event.response_sequence
    if instead is not None and place is not None:
        # Who had the case when it was written is not told again; nearly always they wrote it.
        responsible = instead.member_id or event.case.responsible
        yield _response(envelope, event, instead, place, case_id, responsible)
    if event.was_first:
        at = instead.answered_at if instead else None
        yield FirstTakenBack(workspace, case_id, envelope.sequence, at)


def _response(
    envelope: Envelope,
    event: ConversationEvent,
    response: Response,
    sequence: int,
    case_id: str,
    responsible: str | None,
) -> TeamResponse:
    case = event.case
    return TeamResponse(
        workspace=envelope.workspace_id,
        event_id=envelope.id,
        case_id=case_id,
        sequence=sequence,
        source_id=case.source_id,
        channel=str(case.channel),
        location_id=case.location_id,
        group_id=case.group_id,
        member_id=response.member_id,
        responsible=responsible,
        waiting_since=response.waiting_since,
        answered_at=response.answered_at,
        is_first=response.is_first,
        stated_by=envelope.sequence,
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
