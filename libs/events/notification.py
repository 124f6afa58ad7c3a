"""What notify tells a member in the application."""

from typing import Literal

from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic


@public("parley.notification.raised.v1", Topic.NOTIFICATION)
class NotificationRaised(Body):
    """For one member only: they are the audience."""

    notification_id: str
    member_id: str
    kind: Literal[
        "case-in-group",
        "mention",
        "assigned",
        "transfer-offered",
        "crm-not-reached",
        "not-delivered",
        "member-gone",
    ]
    conversation_id: str
    case_id: str
    raised_at: Instant
    group_id: str | None = None
