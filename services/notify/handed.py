"""Whoever is given a case (assigned to them, reopened for them), or offered one, is told of it in
the application and by e-mail, whatever the workspace's rule about new cases in groups is: a
colleague put it into their hands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from libs.events.conversation.case import CaseAssigned, CaseReopened, TransferOffered
from libs.events.directory import MemberState
from libs.events.envelope import Envelope
from libs.events.ids import IdKey
from libs.events.notification import NotificationRaised
from libs.runtime.directory import Directory
from services.notify.deliveries import Delivery

ASSIGNED: Final = "assigned"
OFFERED: Final = "transfer-offered"


@dataclass(frozen=True, slots=True)
class Handed:
    """A case that was put into the hands of ``member``, or offered to them."""

    kind: Literal["assigned", "transfer-offered"]
    envelope: Envelope
    event: CaseAssigned | CaseReopened | TransferOffered
    member: MemberState


def handed_of(envelope: Envelope, directory: Directory) -> Handed | None:
    """None where the event tells of no such thing, or a member gave the case to themselves."""
    match envelope.body:
        case CaseAssigned() | CaseReopened() as event:
            return _handed(ASSIGNED, envelope, event, event.case.responsible, directory)
        case TransferOffered() as event:
            return _handed(OFFERED, envelope, event, event.to, directory)
    return None


def _handed(
    kind: Literal["assigned", "transfer-offered"],
    envelope: Envelope,
    event: CaseAssigned | CaseReopened | TransferOffered,
    to: str | None,
    directory: Directory,
) -> Handed | None:
    there = directory.of(envelope.workspace_id)
    member = there.members.get(to or "")
    if member is None or to == event.member_id:
        return None
    if not there.may_see(member, event.audience_after):
        return None
    return Handed(kind, envelope, event, member)


def notification(handed: Handed, ids: IdKey) -> NotificationRaised:
    return NotificationRaised(
        notification_id=_id("ntf", handed, ids),
        member_id=handed.member.member_id,
        kind=handed.kind,
        conversation_id=handed.event.case.conversation_id,
        case_id=handed.event.case.case_id,
        raised_at=handed.event.recorded_at,
        group_id=handed.event.case.group_id,
    )


def email(handed: Handed, ids: IdKey, now: datetime) -> Delivery:
    case = handed.event.case
    return Delivery(
        delivery_id=_id("eml", handed, ids),
        workspace_id=handed.envelope.workspace_id,
        member_id=handed.member.member_id,
        kind=handed.kind,
        conversation_id=case.conversation_id,
        group_id=case.group_id,
        source_id=case.source_id,
        channel=str(case.channel),
        created_at=now,
        location_id=case.location_id,
        wanted_by=case.due_at,
    )


def _id(kind: str, handed: Handed, ids: IdKey) -> str:
    envelope = handed.envelope
    return ids.derive(kind, envelope.workspace_id, envelope.id, handed.member.member_id)
