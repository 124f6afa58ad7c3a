"""Owner and admins are told where cases of a deactivated member are in New again: once for all of
them, by the first."""

from typing import Final

from libs.events.conversation.case import MemberGone
from libs.events.directory import Role
from libs.events.envelope import Envelope
from libs.events.ids import IdKey
from libs.events.notification import NotificationRaised
from libs.runtime.directory import Directory

MEMBER_GONE: Final = "member-gone"
_TOLD: Final = (Role.OWNER, Role.ADMIN)


def departures_of(envelope: Envelope, directory: Directory, ids: IdKey) -> list[NotificationRaised]:
    event = envelope.body
    if not isinstance(event, MemberGone) or not event.returned:
        return []
    there, workspace_id = directory.of(envelope.workspace_id), envelope.workspace_id
    went = (event.member_id, str(event.deactivation))
    return [
        NotificationRaised(
            notification_id=ids.derive("ntf", workspace_id, *went, member.member_id),
            member_id=member.member_id,
            kind=MEMBER_GONE,
            conversation_id=event.case.conversation_id,
            case_id=event.case.case_id,
            raised_at=event.recorded_at,
            group_id=event.case.group_id,
        )
        for member in there.members.values()
        if member.role in _TOLD and there.may_see(member, event.audience_after)
    ]
