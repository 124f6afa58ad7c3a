"""Whoever had a message sent is told where it did not arrive, or where nobody knows: they may send
it again."""

from typing import Final

from libs.events.conversation.message import SendingFailed
from libs.events.envelope import Envelope
from libs.events.ids import IdKey
from libs.events.notification import NotificationRaised
from libs.runtime.directory import Directory

NOT_DELIVERED: Final = "not-delivered"


def undelivered_of(
    envelope: Envelope, directory: Directory, ids: IdKey
) -> NotificationRaised | None:
    """For the sender or, where they do not see the case any longer, for who is responsible."""
    event = envelope.body
    if not isinstance(event, SendingFailed):
        return None
    there = directory.of(envelope.workspace_id)
    for member_id in (event.member_id, event.case.responsible):
        member = there.members.get(member_id or "")
        if member is not None and there.may_see(member, event.audience_after):
            return NotificationRaised(
                notification_id=ids.derive(
                    "ntf", envelope.workspace_id, envelope.id, member.member_id
                ),
                member_id=member.member_id,
                kind=NOT_DELIVERED,
                conversation_id=event.case.conversation_id,
                case_id=event.case.case_id,
                raised_at=event.recorded_at,
                group_id=event.case.group_id,
            )
    return None
