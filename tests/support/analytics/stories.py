"""Conversations that happen: the events they give rise to, and a plain recount beside them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from aiokafka import ConsumerRecord

from libs.events.content import Channel, Content
from libs.events.conversation.case import (
    CaseAssigned,
    CaseClosed,
    CaseFacts,
    CaseOpened,
    CaseReopened,
    CaseTaken,
    CaseUnassigned,
    ConversationEvent,
)
from libs.events.conversation.message import (
    AnswerTakenBack,
    Message,
    MessageReceived,
    MessageSent,
    Response,
)
from libs.events.envelope import Envelope
from libs.runtime.consumer import Received

_offsets = count(step=1_000)
START = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Turn:
    started_at: datetime
    responsible: str | None = None
    is_answered: bool = False
    is_closed_over: bool = False


@dataclass
class Case:
    """What really happened in one case, kept without looking at any event."""

    number: int
    opened_at: datetime
    turns: list[Turn] = field(default_factory=list)
    answers: list[tuple[str | None, datetime, float]] = field(default_factory=list)
    states: list[tuple[datetime, str]] = field(default_factory=list)
    responsible: str | None = None
    closed_at: datetime | None = None

    def state_at(self, instant: datetime) -> str:
        return [state for at, state in self.states if at < instant][-1]


class Story:
    """One conversation. Each step takes ``minutes`` since the one before.

    As in the conversation service, Done ends the wait of a customer who was not answered: where
    the case is reopened, what they write next begins another turn.
    """

    def __init__(self, workspace: str, name: str = "a", source: str = "src_a") -> None:
        self.workspace = workspace
        self.name = name
        self.source = source
        self.location_id = "loc_a"
        self.group_id: str | None = None
        self.now = START
        self.events: list[Envelope] = []
        self.cases: list[Case] = []
        self.facts: CaseFacts | None = None

    def at(self, location_id: str, group_id: str | None) -> "Story":
        """Its cases are there."""
        self.location_id, self.group_id = location_id, group_id
        return self

    def writes(self, minutes: float = 1) -> "Story":
        self._wait(minutes)
        if self.facts is None or self.facts.state == "done":
            self._open()
        starts = self._now().waiting_since is None
        if starts:
            self._set(waiting_since=self.now)
            self.cases[-1].turns.append(Turn(self.now))
        self._tell(
            MessageReceived,
            message=self._message("incoming"),
            received_at=self.now,
            starts_turn=starts,
        )
        return self

    def takes(self, member: str, minutes: float = 1) -> "Story":
        self._wait(minutes)
        if self.facts is not None and self.facts.state == "new":
            self._set(state="active", responsible=member)
            self.cases[-1].responsible = member
            self._tell(CaseTaken, member_id=member)
        return self

    def assigns(self, member: str, minutes: float = 1) -> "Story":
        self._wait(minutes)
        if self.facts is not None and self.facts.state != "done":
            self._set(state="active", responsible=member)
            self.cases[-1].responsible = member
            self._tell(CaseAssigned, member_id="mem_boss")
        return self

    def unassigns(self, member: str, minutes: float = 1) -> "Story":
        self._wait(minutes)
        if self.facts is not None and self.facts.state == "active":
            self._set(state="new", responsible=None)
            self.cases[-1].responsible = None
            self._tell(CaseUnassigned, member_id=member)
        return self

    def answers(self, member: str | None, minutes: float = 1) -> "Story":
        self._wait(minutes)
        if self.facts is None or self.facts.state == "done":
            return self
        response, case = None, self.cases[-1]
        since = self._now().waiting_since
        if since is not None:
            is_first = self._now().first_response_at is None
            response = Response(
                waiting_since=since, answered_at=self.now, is_first=is_first, member_id=member
            )
            first = self.now if is_first else self._now().first_response_at
            self._set(waiting_since=None, first_response_at=first)
            case.turns[-1].is_answered = True
            case.turns[-1].responsible = case.responsible
            case.answers.append((member, self.now, (self.now - since).total_seconds()))
        self._tell(MessageSent, message=self._message("outgoing", member), response=response)
        return self

    def fails(
        self,
        answer: int,
        *withdrawn: int,
        case: int = -1,
        instead: tuple[int, Response] | None = None,
        minutes: float = 1,
    ) -> "Story":
        """What was sent by the event ``answer`` did not arrive, as the conversation tells of it.
        ``instead``: the answer that the customer has, and its event. Nothing is recounted here."""
        self._wait(minutes)
        sent = self.events[answer - 1].body
        assert isinstance(sent, MessageSent)
        assert sent.response is not None
        told = self.cases[case]
        latest = told is self.cases[-1]
        if latest and instead is None and self._now().state != "done":
            self._set(waiting_since=sent.response.waiting_since)
        if latest and sent.response.is_first:
            self._set(first_response_at=instead[1].answered_at if instead else None)
        self._tell(
            AnswerTakenBack,
            message_id=sent.message.message_id,
            answered_case_id=f"{self.workspace}-{self.name}-{told.number}",
            was_first=sent.response.is_first,
            withdrawn=(answer, *withdrawn),
            response=instead[1] if instead else None,
            response_sequence=instead[0] if instead else None,
        )
        return self

    def closes(self, member: str, minutes: float = 1) -> "Story":
        self._wait(minutes)
        if self.facts is not None and self.facts.state == "active":
            self._set(state="done", closed_at=self.now, closed_by=member, waiting_since=None)
            self.cases[-1].closed_at = self.now
            self.cases[-1].turns[-1].is_closed_over = True
            self._tell(CaseClosed, member_id=member)
        return self

    def reopens(self, member: str, minutes: float = 1) -> "Story":
        self._wait(minutes)
        if self.facts is not None and self.facts.state == "done":
            self._set(state="active", responsible=member, closed_at=None, closed_by=None)
            self.cases[-1].responsible = member
            self.cases[-1].closed_at = None
            self._tell(CaseReopened, member_id=member)
        return self

    def _open(self) -> None:
        number = len(self.cases) + 1
        self.cases.append(Case(number, self.now))
        self.facts = CaseFacts(
            case_id=f"{self.workspace}-{self.name}-{number}",
            conversation_id=f"{self.workspace}-{self.name}",
            source_id=self.source,
            channel=Channel.TELEGRAM,
            location_id=self.location_id,
            group_id=self.group_id,
            customer_id=f"cus_{self.name}",
            state="new",
            opened_at=self.now,
            opened_by="customer",
        )
        self._tell(CaseOpened)

    def _wait(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def _now(self) -> CaseFacts:
        assert self.facts is not None
        return self.facts

    def _set(self, **changes: Any) -> None:
        self.facts = msgspec.structs.replace(self._now(), **changes)

    def _message(self, direction: Any, member: str | None = None) -> Message:
        return Message(
            message_id=f"msg_{self.name}_{len(self.events)}",
            direction=direction,
            content=Content(text="do not keep me"),
            occurred_at=self.now,
            member_id=member,
        )

    def _tell(self, kind: type[ConversationEvent], **fields: Any) -> None:
        facts = self._now()
        if not self.cases[-1].states or self.cases[-1].states[-1][1] != facts.state:
            self.cases[-1].states.append((self.now, facts.state))
        sequence = len(self.events) + 1
        self.events.append(
            Envelope(
                id=f"{facts.conversation_id}:{sequence}",
                source="/conversation",
                subject=facts.conversation_id,
                key=facts.conversation_id,
                workspace_id=self.workspace,
                sequence=sequence,
                time=self.now,
                body=kind(case=facts, recorded_at=self.now, **fields),
            )
        )


def received(envelopes: Sequence[Envelope]) -> list[Received]:
    """As a consumer gets them, from one partition, at offsets that no other call has."""
    first_offset = next(_offsets)
    return [
        Received(
            envelope,
            ConsumerRecord(
                topic="parley.conversation",
                partition=0,
                offset=offset,
                timestamp=0,
                timestamp_type=0,
                key=envelope.key.encode(),
                value=None,
                checksum=None,
                serialized_key_size=0,
                serialized_value_size=0,
                headers=(),
            ),
        )
        for offset, envelope in enumerate(envelopes, first_offset)
    ]


@dataclass(frozen=True)
class Recount:
    """The figures of a period, counted from what happened."""

    all: int
    responded: int
    unresponded: int
    assigned: int
    open: int
    closed: int
    turns: int
    answered: int
    to_respond: list[float]
    to_close: list[float]

    @classmethod
    def of(
        cls, stories: Sequence[Story], start: datetime, end: datetime, member: str | None = None
    ) -> "Recount":
        """``member``: the figures of that member only; None: of all."""
        cases = [case for story in stories for case in story.cases]
        own = [case for case in cases if member in (None, case.responsible)]
        opened = [case for case in own if start <= case.opened_at < end]
        turns = [
            turn if turn.is_answered else replace(turn, responsible=case.responsible)
            for case in cases
            for turn in case.turns
            if start <= turn.started_at < end
        ]
        turns = [turn for turn in turns if member in (None, turn.responsible)]
        return cls(
            all=len(opened),
            responded=sum(bool(case.answers) for case in opened),
            unresponded=sum(
                not (case.turns[-1].is_answered or case.turns[-1].is_closed_over) for case in opened
            ),
            assigned=sum(case.responsible is not None for case in opened),
            open=sum(case.state_at(end) != "done" for case in opened),
            closed=sum(case.state_at(end) == "done" for case in opened),
            turns=len(turns),
            answered=sum(turn.is_answered for turn in turns),
            to_respond=[
                seconds
                for case in cases
                for who, at, seconds in case.answers
                if start <= at < end and member in (None, who)
            ],
            to_close=[
                (case.closed_at - case.opened_at).total_seconds()
                for case in own
                if case.closed_at is not None and start <= case.closed_at < end
            ],
        )


def average(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def quantile(values: Sequence[float], level: float) -> float | None:
    """With linear interpolation between the two nearest, the ends included."""
    if not values:
        return None
    ordered = sorted(values)
    position = level * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
