"""Whoever is mentioned in a note is told of it, whatever the workspace's rules are: a colleague
asks for them by name."""

from typing import Final

from libs.events.conversation.message import NoteAdded
from libs.events.envelope import Envelope
from libs.events.ids import IdKey
from libs.events.notification import NotificationRaised
from libs.runtime.directory import Directory

MENTION: Final = "mention"


def mentions_of(envelope: Envelope, directory: Directory, ids: IdKey) -> list[NotificationRaised]:
    """Those of one event: one for each who may see the case, and did not write the note."""
    event = envelope.body
    if not isinstance(event, NoteAdded):
        return []
    there = directory.of(envelope.workspace_id)
    return [
        NotificationRaised(
            notification_id=ids.derive("ntf", envelope.workspace_id, envelope.id, member_id),
            member_id=member_id,
            kind=MENTION,
            conversation_id=event.case.conversation_id,
            case_id=event.case.case_id,
            raised_at=event.recorded_at,
            group_id=event.case.group_id,
        )
        for member_id in event.mentions
        if member_id != event.member_id
        and (member := there.members.get(member_id)) is not None
        and there.may_see(member, event.audience_after)
    ]
