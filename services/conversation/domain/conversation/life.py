"""The life of a case: open, route, take, close, reopen.

routing ──route──▶ new ──take──▶ active ──close──▶ done
   (or new at once)                 ▲──────reopen─────┘
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from libs.events.content import Channel, Post
from services.conversation.domain.aggregate import Aggregate
from services.conversation.domain.conversation.state import (
    NO_CASE,
    PARTICIPANTS_AT_MOST,
    Case,
    ConversationState,
    Thread,
    active,
    case_id_of,
)
from services.conversation.domain.events import Event, stored
from services.conversation.domain.refusal import Refusal
from services.conversation.domain.variables import Member


class TakenBy(Refusal):
    """Somebody else is responsible: ``member_id``, since ``since``."""

    kind = "case-taken"

    def __init__(self, member_id: str, since: datetime) -> None:
        super().__init__(
            {"member": Member(member_id), "moment": since}, member_id=member_id, at=since
        )
        self.member_id = member_id
        self.since = since


class NobodyTookIt(Refusal):
    """The case is new: it has to be taken first."""

    kind = "case-not-taken"


class AlreadyDone(Refusal):
    """The case was closed: by ``member_id``, at ``at``."""

    kind = "case-done"

    def __init__(self, member_id: str, at: datetime) -> None:
        super().__init__({"member": Member(member_id), "moment": at}, member_id=member_id, at=at)
        self.member_id = member_id
        self.at = at


class NobodyToAnswer(Refusal):
    """The customer was forgotten, and with them where they can be reached: they write first."""

    kind = "customer-erased"


class NoCaseYet(Refusal):
    """All that the customer wrote was withheld: there is nothing that could be done with."""

    kind = "no-case"


class StillOpen(Refusal):
    """The latest case is not done, so none can be reopened."""

    kind = "case-open"


@stored("conversation.case-opened.v1", personal=("thread", "post", "customer_name"))
class CaseOpened(Event[ConversationState], frozen=True, kw_only=True):
    """The customer's message, or the team's first own, began a case. ``at`` is its opening.

    Carries the thread, so that a stream can be read from any case's beginning. ``member_id``
    opened it by hand. ``erasures``: how often the customer had been forgotten before the stream
    began.
    """

    workspace_id: str
    conversation_id: str
    source_id: str
    channel: Channel
    thread: str
    customer_id: str
    customer_name: str
    number: int
    location_id: str
    opened_by: Literal["customer", "team"]
    recorded_at: datetime
    routed: bool
    responsible_before: str | None = None
    short_number: int = 0
    member_id: str | None = None
    post: Post | None = None
    erasures: int = 0

    def apply(self, state: ConversationState | None) -> ConversationState:
        case = Case(
            case_id=case_id_of(self.conversation_id, self.number),
            number=self.number,
            state="routing" if self.routed else "new",
            location_id=self.location_id,
            opened_at=self.at,
            opened_by=self.opened_by,
            recorded_at=self.recorded_at,
            responsible_before=self.responsible_before,
            short_number=self.short_number,
        )
        if state is not None:
            # Only where it was forgotten is it another one.
            there = replace(state.thread, thread=self.thread, post=self.post)
            moved = state.moved_back
            if state.case.waiting_since is not None:
                moved = replace(moved, waiting=self.recorded_at)
            if state.case.priority != case.priority:
                moved = replace(moved, priority=self.recorded_at)
            return replace(
                state,
                thread=there,
                case=case,
                active_at=active(state, self.at),
                moved_back=moved,
            )
        thread = Thread(
            self.workspace_id,
            self.conversation_id,
            self.source_id,
            self.channel,
            self.thread,
            self.post,
        )
        return ConversationState(
            thread=thread,
            customer_id=self.customer_id,
            customer_name=self.customer_name,
            case=case,
            active_at=self.at,
            erasures=self.erasures,
        )


class CaseEvent(Event[ConversationState], frozen=True, kw_only=True):
    """Base of what happens to a case that is there. ``case`` is its number in the conversation."""

    case: int

    def apply(self, state: ConversationState | None) -> ConversationState:
        if state is None:
            raise ValueError(f"{type(self).__name__} cannot be a stream's first event")
        return self.change(state)

    def change(self, state: ConversationState) -> ConversationState:
        raise NotImplementedError


class MemberEvent(CaseEvent, frozen=True, kw_only=True):
    """Base of what a member did to a case."""

    member_id: str


@stored("conversation.case-routed.v1")
class CaseRouted(CaseEvent, frozen=True, kw_only=True):
    """Routing put the case into a group's New, or (undecided) nobody did in time."""

    group_id: str | None
    reason: Literal["autoforward", "undecided"]

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, case=replace(state.case, state="new", group_id=self.group_id))


@stored("conversation.case-taken.v1")
class CaseTaken(MemberEvent, frozen=True, kw_only=True):
    """``joined``: the former responsible of a repeat case, who becomes a participant."""

    joined: tuple[str, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, case=held(state.case, self.member_id, self.at, self.joined))


@stored("conversation.case-closed.v1")
class CaseClosed(MemberEvent, frozen=True, kw_only=True):
    """Done: the case needs nothing more, and nobody waits in it any longer, answered or not; the
    customer's next message opens another."""

    def change(self, state: ConversationState) -> ConversationState:
        done = replace(
            state.case,
            state="done",
            closed_at=self.at,
            closed_by=self.member_id,
            offer=None,
            due_at=None,
            waiting_since=None,
        )
        moved = state.moved_back
        if state.case.waiting_since is not None:
            moved = replace(moved, waiting=self.at)
        return replace(state, case=done, active_at=active(state, self.at), moved_back=moved)


@stored("conversation.case-reopened.v1")
class CaseReopened(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` reopened it, ``responsible`` holds it from now on."""

    responsible: str
    joined: tuple[str, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        case = state.case
        same = case.responsible == self.responsible
        since = case.held_since if same and case.held_since else self.at
        again = held(case, self.responsible, since, self.joined)
        # A state that was kept before closing ended the wait may still have one.
        again = replace(again, closed_at=None, closed_by=None, waiting_since=None)
        return replace(state, case=again, active_at=active(state, self.at))


type Answers = Callable[[str], bool]


def anybody(member_id: str) -> bool:
    """Whom the directory is not asked about."""
    return True


def held(case: Case, member_id: str, since: datetime, joined: tuple[str, ...]) -> Case:
    """The case with its responsible. Whoever it was offered to, the offer has lapsed."""
    return replace(
        case,
        state="active",
        responsible=member_id,
        held_since=since,
        participants=tuple(m for m in (*case.participants, *joined) if m != member_id),
        offer=None,
    )


class Life(Aggregate[ConversationState]):
    """The rules by which a case moves from state to state.

    ``answers`` says of a member whether they still answer customers: who had the case before stays
    with it as a participant only then.
    """

    @property
    def case(self) -> Case:
        """The latest case. Errors: ValueError where there has never been one."""
        if self.state is None:
            raise ValueError(f"{self.stream} has no case")
        return self.state.case

    def route(self, case_id: str, group_id: str | None, *, timed_out: bool = False) -> None:
        """Routing's decision, or that it did not come. It is nothing to a case that moved on."""
        if self.state is None or self.case.case_id != case_id or self.case.state != "routing":
            return
        reason: Literal["autoforward", "undecided"]
        reason = "undecided" if timed_out or group_id is None else "autoforward"
        self._trigger(
            CaseRouted(
                at=self.at(self.now), case=self.case.number, group_id=group_id, reason=reason
            )
        )

    def take(self, member_id: str, *, answers: Answers = anybody) -> None:
        """The first who takes a new case gets it; what one holds already may be taken again.

        Errors: TakenBy, AlreadyDone.
        """
        case = self.case
        if case.state == "active" and case.responsible == member_id:
            return
        self._refuse_done()
        self._refuse_held_by_another(member_id)
        self._trigger(
            CaseTaken(
                at=self.at(self.now),
                case=case.number,
                member_id=member_id,
                joined=self._joined(case.responsible_before, member_id, answers),
            )
        )

    def close(self, member_id: str, *, manages: bool, untaken: bool = False) -> None:
        """The responsible closes; who manages cases closes any, and ``untaken`` what nobody took.

        Closing twice is nothing to who closed. Errors: TakenBy, NobodyTookIt, AlreadyDone.
        """
        case = self.case
        if case.state == "done" and case.closed_by == member_id:
            return
        self._refuse_done()
        if not manages:
            self._refuse_held_by_another(member_id)
            if case.responsible is None and not untaken:
                raise NobodyTookIt
        self._trigger(CaseClosed(at=self.at(self.now), case=case.number, member_id=member_id))

    def reopen(
        self,
        member_id: str,
        *,
        manages: bool,
        answers: Answers = anybody,
        may_have_it: Answers = anybody,
    ) -> None:
        """A done case is active again, and whoever reopens it is responsible.

        Only where somebody who manages cases reopens another's case does it go back to that one:
        they put the work back, they do not take it over; ``may_have_it`` says whether that one is
        still there to do it. Errors: NoCaseYet, StillOpen.
        """
        case = self.case
        self._refuse_no_case()
        if case.state != "done":
            raise StillOpen
        former = case.responsible
        responsible = former if manages and former and may_have_it(former) else member_id
        self._trigger(
            CaseReopened(
                at=self.at(self.now),
                case=case.number,
                member_id=member_id,
                responsible=responsible,
                joined=self._joined(former, responsible, answers),
            )
        )

    def at(self, fact: datetime) -> datetime:
        """A fact's time, clamped to the case's opening."""
        return max(fact, self.case.opened_at)

    def _joined(self, former: str | None, responsible: str, answers: Answers) -> tuple[str, ...]:
        """Who had the case stays with it as a participant, while there is room."""
        participants = self.case.participants
        if former is None or former == responsible or former in participants:
            return ()
        if not answers(former):
            return ()
        return (former,) if len(participants) < PARTICIPANTS_AT_MOST else ()

    def _waited_since(self) -> datetime | None:
        """Nobody waits in a done case, whatever a state that was kept long ago says."""
        return None if self.case.state == "done" else self.case.waiting_since

    def _is_first_response(self) -> bool:
        return self._waited_since() is not None and self.case.first_response_at is None

    def _refuse_unless_answered_by(self, member_id: str) -> None:
        """The responsible and the participants of an active case answer the customer."""
        self._refuse_done()
        if self.case.state != "active":
            raise NobodyTookIt
        if member_id not in self.case.participants:
            self._refuse_held_by_another(member_id)
        self._refuse_unreachable()

    def _refuse_unless_led_by(self, member_id: str, manages: bool) -> None:
        """What only the responsible of an active case decides, or who manages cases."""
        self._refuse_done()
        if self.case.state != "active":
            raise NobodyTookIt
        if not manages:
            self._refuse_held_by_another(member_id)

    def _is_reachable(self) -> bool:
        """Whether the thread is known, which is forgotten with its customer."""
        return self.state is not None and bool(self.state.thread.thread)

    def _refuse_unreachable(self) -> None:
        if not self._is_reachable():
            raise NobodyToAnswer

    def _refuse_no_case(self) -> None:
        if self.case.number == NO_CASE and self.case.state == "done":
            raise NoCaseYet

    def _refuse_done(self) -> None:
        case = self.case
        self._refuse_no_case()
        if case.state == "done" and case.closed_at:
            raise AlreadyDone(case.closed_by or "", case.closed_at)

    def _refuse_held_by_another(self, member_id: str) -> None:
        case = self.case
        if case.responsible and case.held_since and case.responsible != member_id:
            raise TakenBy(case.responsible, case.held_since)
