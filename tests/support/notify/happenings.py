"""What a conversation tells of sendings that failed, and of members who went."""

from libs.events.conversation.case import Audience, MemberGone
from libs.events.conversation.message import SendingFailed
from libs.events.directory import MemberState
from libs.events.envelope import Envelope
from tests.support.notify.events import OPENED, SALES, case_event, case_facts


def undelivered(
    sender: MemberState, responsible: MemberState | None = None, number: int = 1
) -> Envelope:
    """A message that did not arrive, in a case of the group Sales."""
    event = SendingFailed(
        case=case_facts(
            number, SALES.group_id, responsible=responsible.member_id if responsible else None
        ),
        recorded_at=OPENED,
        audience_after=Audience(location_id="loc_a", group_id=SALES.group_id),
        message_id="msg_1",
        attempt=1,
        member_id=sender.member_id,
        state="failed",
    )
    return case_event(number, 3, event)


def gone(member: MemberState, number: int, deactivation: int = 4) -> Envelope:
    """A case of theirs is in the New of the group Sales again."""
    event = MemberGone(
        case=case_facts(number, SALES.group_id),
        recorded_at=OPENED,
        audience_after=Audience(location_id="loc_a", group_id=SALES.group_id),
        member_id=member.member_id,
        returned=True,
        deactivation=deactivation,
    )
    return case_event(number, 3, event)
