"""System messages: what each action leaves in the timeline, for the team only.

The key is the middle of the event's stored name; its text is ``system.<key>`` in each of
``*.po`` here, or ``system.<key>.<variant>`` where it is told in several ways. A text names exactly
the variables of its trace; with the variable ``count`` it has plural forms. To add one: a case in
``trace_of``, and the text.

What a member does is told in the present tense or without a verb: Russian and Ukrainian verbs of
the past have a gender, and a member's is not known.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from libs.events.activity import ActivityVariables
from services.conversation.domain.conversation import (
    assignment,
    blocking,
    corrections,
    crm,
    customer_profile,
    erasure,
    life,
    marks,
    participants,
    reading,
    sending,
    transfer,
)
from services.conversation.domain.events import Event, name_of
from services.conversation.domain.variables import (
    Counted,
    Fields,
    Group,
    Labels,
    Member,
    Names,
    Reason,
    Variable,
    Words,
)
from services.conversation.localization.localizer import Localizer

_NOTHING: Final[Mapping[str, Variable]] = MappingProxyType({})


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """``case`` is the case's number; ``member_id`` who did it, where a member did."""

    key: str
    case: int
    variant: str = ""
    variables: Mapping[str, Variable] = _NOTHING
    member_id: str | None = None
    other_member_id: str | None = None
    group_id: str | None = None
    due_at: datetime | None = None

    @property
    def text(self) -> str:
        return f"system.{self.key}.{self.variant}" if self.variant else f"system.{self.key}"


def trace_of(event: Event[Any]) -> Trace | None:
    """None for what leaves no system message: messages, notes, what is private to a member."""
    match event:
        case life.CaseOpened(member_id=member_id):
            number = event.short_number or event.number
            return Trace(
                key=_key(event),
                case=event.number,
                variant="by-member" if member_id else "",
                variables={
                    "number": number,
                    **({"member": Member(member_id)} if member_id else {}),
                },
                member_id=member_id,
            )
        case life.CaseRouted(group_id=group_id):
            return Trace(
                key=_key(event),
                case=event.case,
                variant="" if group_id else "undecided",
                variables={"group": Group(group_id)} if group_id else {},
                group_id=group_id,
            )
        case corrections.MessageEdited(member_id=str(member_id)):
            return _corrected(event, member_id)
        case corrections.MessageDeleted(member_id=str(member_id)):
            return _corrected(event, member_id)
        case corrections.MessageDeleted():
            return Trace(key=_key(event), case=event.case, variant="elsewhere")
        case corrections.CorrectionFailed(correction=correction):
            reason = Reason(event.reason_code, event.reason)
            variables: dict[str, Variable] = {"reason": reason}
            return Trace(key=_key(event), case=event.case, variant=correction, variables=variables)
        case assignment.MemberGone(member_id=member_id):
            return Trace(
                key=_key(event),
                case=event.case,
                variant="responsible" if event.returned else "",
                variables={"member": Member(member_id)},
                other_member_id=member_id,
            )
        case life.MemberEvent():
            return _by_member(event)
    return None


def told(trace: Trace, localizer: Localizer) -> tuple[ActivityVariables, str]:
    """The variables, and the text in the caller's language."""
    return localizer.plain(trace.variables), localizer.say(trace.text, trace.variables)


def _corrected(
    event: corrections.MessageEdited | corrections.MessageDeleted, member_id: str
) -> Trace:
    return Trace(
        key=_key(event),
        case=event.case,
        variables={"member": Member(member_id)},
        member_id=member_id,
    )


def _by_member(event: life.MemberEvent) -> Trace | None:
    match event:
        case (
            life.CaseTaken()
            | life.CaseClosed()
            | crm.CaseSentToCrm()
            | assignment.CaseUnassigned()
            | assignment.CaseTakenOver()
            | transfer.TransferAccepted()
            | transfer.TransferDeclined()
            | participants.ParticipantLeft()
            | sending.MessageResent()
            | reading.MarkedRead()
            | reading.MarkedUnread()
            | marks.Flagged()
            | marks.Unflagged()
            | blocking.CustomerBlocked()
            | blocking.CustomerUnblocked()
            | erasure.CustomerErased()
        ):
            return _by(event)
        case customer_profile.CustomerKnown(became="merged" | "split" | "named" as became):
            return _by(event, became)
        case life.CaseReopened(member_id=member_id, responsible=other) if member_id != other:
            return _by(event, "for-another", other=other)
        case life.CaseReopened():
            return _by(event)
        case assignment.CaseAssigned(responsible=other, due_at=None):
            return _by(event, other=other)
        case assignment.CaseAssigned(responsible=other, due_at=due_at):
            return _by(event, "until", other=other, due_at=due_at)
        case assignment.CaseForwarded(group_id=group_id):
            return _by(event, group_id=group_id)
        case assignment.CaseDueChanged(due_at=due_at):
            return _by(event, "" if due_at else "none", due_at=due_at)
        case transfer.TransferOffered(to=other) | transfer.TransferWithdrawn(to=other):
            return _by(event, other=other)
        case participants.ParticipantAdded(participant=other):
            return _by(event, other=other)
        case participants.ParticipantRemoved(participant=other):
            return _by(event, other=other)
        case marks.PrioritySet(priority=priority):
            return _by(event, more={"priority": Words(f"priority.{priority}")})
        case marks.MarksChanged():
            return _marks_changed(event)
        case marks.FieldsSet(values=values):
            # Their names alone: what they say may be about the customer.
            return _by(event, more={"count": len(values), "fields": Fields(tuple(values))})
        case marks.MessageMarked(emotion=None):
            return _by(event, "none")
        case marks.MessageMarked(emotion=emotion):
            return _by(event, more={"emotion": Words(f"emotion.{emotion}")})
    return None


def _marks_changed(event: marks.MarksChanged) -> Trace:
    """Which marks came and which went; each side counted, with the name of their kind."""
    more: dict[str, Variable] = {}
    for side, ids in (("added", event.added), ("removed", event.removed)):
        if ids:
            more[side] = Names(ids) if event.kind == "tag" else Labels(ids)
            more[f"{side}_marks"] = Counted(f"mark.{event.kind}", len(ids))
    variant = "" if event.added and event.removed else "added" if event.added else "removed"
    return _by(event, variant, more=more)


def _by(
    event: life.MemberEvent,
    variant: str = "",
    *,
    other: str | None = None,
    group_id: str | None = None,
    due_at: datetime | None = None,
    more: Mapping[str, Variable] = _NOTHING,
) -> Trace:
    """What ``event.member_id`` did. In the text, ``other`` is whom it concerns."""
    variables: dict[str, Variable] = {"member": Member(event.member_id), **more}
    if other is not None:
        variables["other"] = Member(other)
    if group_id is not None:
        variables["group"] = Group(group_id)
    if due_at is not None:
        variables["due"] = due_at
    return Trace(
        key=_key(event),
        case=event.case,
        variant=variant,
        variables=variables,
        member_id=event.member_id,
        other_member_id=other,
        group_id=group_id,
        due_at=due_at,
    )


def _key(event: Event[Any]) -> str:
    return name_of(event).split(".")[1]
