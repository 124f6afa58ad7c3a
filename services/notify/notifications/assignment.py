"""A case is assigned to a member (also by being reopened for them), or offered: the member is told
in the application and by e-mail, whatever the workspace's rule about new cases in groups is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from libs.events.conversation.case import CaseAssigned, CaseReopened, TransferOffered
from libs.events.directory import MemberState
from libs.events.envelope import Envelope
from libs.events.ids import IdKey
from libs.events.notification import NotificationRaised
from libs.runtime.directory import Directory
from services.notify.emails.deliveries import Delivery

ASSIGNED: Final = "assigned"
OFFERED: Final = "transfer-offered"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A case that was assigned to ``member``, or offered to them."""

    kind: Literal["assigned", "transfer-offered"]
    envelope: Envelope
    event: CaseAssigned | CaseReopened | TransferOffered
    member: MemberState


def assignment_of(envelope: Envelope, directory: Directory) -> Assignment | None:
    """None where the event tells of no such thing, or a member gave the case to themselves."""
    match envelope.body:
        case CaseAssigned() | CaseReopened() as event:
            return _assignment(ASSIGNED, envelope, event, event.case.responsible, directory)
        case TransferOffered() as event:
            return _assignment(OFFERED, envelope, event, event.to, directory)
    return None


def _assignment(
    kind: Literal["assigned", "transfer-offered"],
    envelope: Envelope,
    event: CaseAssigned | CaseReopened | TransferOffered,
    to: str | None,
    directory: Directory,
) -> Assignment | None:
    there = directory.of(envelope.workspace_id)
    member = there.members.get(to or "")
    if member is None or to == event.member_id:
        return None
    if not there.may_see(member, event.audience_after):
        return None
    return Assignment(kind, envelope, event, member)


def notification(assignment: Assignment, ids: IdKey) -> NotificationRaised:
    return NotificationRaised(
        notification_id=_id("ntf", assignment, ids),
        member_id=assignment.member.member_id,
        kind=assignment.kind,
        conversation_id=assignment.event.case.conversation_id,
        case_id=assignment.event.case.case_id,
        raised_at=assignment.event.recorded_at,
        group_id=assignment.event.case.group_id,
    )


def email(assignment: Assignment, ids: IdKey, now: datetime) -> Delivery:
    case = assignment.event.case
    return Delivery(
        delivery_id=_id("eml", assignment, ids),
        workspace_id=assignment.envelope.workspace_id,
        member_id=assignment.member.member_id,
        kind=assignment.kind,
        conversation_id=case.conversation_id,
        group_id=case.group_id,
        source_id=case.source_id,
        channel=str(case.channel),
        created_at=now,
        location_id=case.location_id,
        wanted_by=case.due_at,
    )


def _id(kind: str, assignment: Assignment, ids: IdKey) -> str:
    envelope = assignment.envelope
    return ids.derive(kind, envelope.workspace_id, envelope.id, assignment.member.member_id)
