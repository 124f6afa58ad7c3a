"""Who is responsible for a case: assign, unassign, take over, forward; and until when."""

from datetime import datetime

from msgspec.structs import replace

from services.conversation.domain.conversation.life import (
    Answers,
    CaseEvent,
    Life,
    MemberEvent,
    anybody,
    held,
)
from services.conversation.domain.conversation.state import Case, ConversationState
from services.conversation.domain.events import stored
from services.conversation.domain.refusal import Refusal
from services.conversation.domain.variables import Member


class TransferNeeded(Refusal):
    """The responsible cannot assign the case away: it is offered, and another's once accepted."""

    kind = "transfer-needed"


class NotForMember(Refusal):
    """The case is where ``member_id`` does not see it, so it cannot be theirs."""

    kind = "not-for-this-member"

    def __init__(self, member_id: str) -> None:
        super().__init__({"member": Member(member_id)}, member_id=member_id)
        self.member_id = member_id


@stored("conversation.case-assigned.v1")
class CaseAssigned(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` made ``responsible`` the one. ``due_at`` None: it stays as it was."""

    responsible: str
    due_at: datetime | None = None
    joined: tuple[str, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        case = held(state.case, self.responsible, self.at, self.joined)
        if self.due_at is None:
            return replace(state, case=case)
        moved = replace(state.moved_back, due=self.at)
        return replace(state, case=replace(case, due_at=self.due_at), moved_back=moved)


@stored("conversation.case-unassigned.v1")
class CaseUnassigned(MemberEvent, frozen=True, kw_only=True):
    """The case is in its group's New again."""

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, case=_new_again(state.case, state.case.group_id))


@stored("conversation.case-forwarded.v1")
class CaseForwarded(MemberEvent, frozen=True, kw_only=True):
    """The case is in another group's New."""

    group_id: str

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, case=_new_again(state.case, self.group_id))


@stored("conversation.case-taken-over.v1")
class CaseTakenOver(MemberEvent, frozen=True, kw_only=True):
    """``member_id`` took it over from another, who stays as a participant (``joined``)."""

    joined: tuple[str, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, case=held(state.case, self.member_id, self.at, self.joined))


@stored("conversation.case-due-changed.v1")
class CaseDueChanged(MemberEvent, frozen=True, kw_only=True):
    """``due_at`` None: there is no such time any more."""

    due_at: datetime | None

    def change(self, state: ConversationState) -> ConversationState:
        return replace(
            state,
            case=replace(state.case, due_at=self.due_at),
            moved_back=replace(state.moved_back, due=self.at),
        )


@stored("conversation.member-gone.v1")
class MemberGone(CaseEvent, frozen=True, kw_only=True):
    """``member_id`` is no active member any more, and has nothing to do with the open case from now
    on. ``returned``: it was theirs, and is in its group's New again. ``deactivation`` tells one
    time that they went from another."""

    member_id: str
    returned: bool
    deactivation: int

    def change(self, state: ConversationState) -> ConversationState:
        case = _new_again(state.case, state.case.group_id) if self.returned else state.case
        offer = case.offer
        if offer and self.member_id in (offer.member_id, offer.offered_by):
            offer = None
        others = tuple(one for one in case.participants if one != self.member_id)
        return replace(state, case=replace(case, participants=others, offer=offer))


class Assignment(Life):
    """The rules by which a case is reassigned without the other's consent."""

    def assign(
        self,
        by: str,
        member_id: str,
        due_at: datetime | None = None,
        *,
        manages: bool,
        answers: Answers = anybody,
    ) -> None:
        """A new case is given to anybody, an active one only by who manages cases.

        As after a take, the former responsible stays as a participant. Errors: TakenBy,
        TransferNeeded, AlreadyDone.
        """
        case = self.case
        self._refuse_done()
        if case.responsible is not None and not manages:
            self._refuse_held_by_another(by)
            if case.responsible != member_id:
                raise TransferNeeded
        if case.responsible == member_id:
            if due_at is not None:
                self.set_due(by, due_at, manages=manages)
            return
        former = case.responsible or case.responsible_before
        self._trigger(
            CaseAssigned(
                at=self.at(self.now),
                case=case.number,
                member_id=by,
                responsible=member_id,
                due_at=due_at,
                joined=self._joined(former, member_id, answers),
            )
        )

    def unassign(self, by: str, *, manages: bool) -> None:
        """Errors: TakenBy, NobodyTookIt, AlreadyDone."""
        self._refuse_unless_led_by(by, manages)
        self._trigger(CaseUnassigned(at=self.at(self.now), case=self.case.number, member_id=by))

    def forward(self, by: str, group_id: str, *, manages: bool) -> None:
        """A new case is forwarded by anybody, an active one as other things of it are decided.

        Errors: TakenBy, AlreadyDone.
        """
        case = self.case
        self._refuse_done()
        if not manages:
            self._refuse_held_by_another(by)
        if case.state == "new" and case.group_id == group_id:
            return
        self._trigger(
            CaseForwarded(at=self.at(self.now), case=case.number, member_id=by, group_id=group_id)
        )

    def take_over(self, member_id: str, *, manages: bool, answers: Answers = anybody) -> None:
        """Who manages cases takes an active one over from another.

        Errors: TakenBy, NobodyTookIt, AlreadyDone.
        """
        self._refuse_unless_led_by(member_id, manages)
        former = self.case.responsible
        if former != member_id:
            self._trigger(
                CaseTakenOver(
                    at=self.at(self.now),
                    case=self.case.number,
                    member_id=member_id,
                    joined=self._joined(former, member_id, answers),
                )
            )

    def member_gone(self, member_id: str, deactivation: int) -> None:
        """Whoever is deactivated keeps nobody from an open case, and is offered none. It is nothing
        to a case that they have nothing to do with, and to a done one, which tells who had it."""
        if self.state is None or self.case.state == "done":
            return
        case = self.case
        offering = (case.offer.offered_by,) if case.offer else ()
        if member_id in (*case.people, *offering):
            self._trigger(
                MemberGone(
                    at=self.at(self.now),
                    case=case.number,
                    member_id=member_id,
                    returned=case.responsible == member_id,
                    deactivation=deactivation,
                )
            )

    def set_due(self, by: str, due_at: datetime | None, *, manages: bool) -> None:
        """Errors: TakenBy, AlreadyDone."""
        case = self.case
        self._refuse_done()
        if not manages:
            self._refuse_held_by_another(by)
        if due_at != case.due_at:
            self._trigger(
                CaseDueChanged(at=self.at(self.now), case=case.number, member_id=by, due_at=due_at)
            )


def _new_again(case: Case, group_id: str | None) -> Case:
    """In a group's New, with the participants that it has: whoever takes it has their help."""
    return replace(
        case,
        state="new",
        group_id=group_id,
        responsible=None,
        held_since=None,
        responsible_before=case.responsible or case.responsible_before,
        offer=None,
    )
