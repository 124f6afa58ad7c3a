"""What a member was told in the application, and the rules for telling."""

from datetime import datetime
from typing import Literal

from libs.events.api.requests import RequestBody
from libs.events.registry import Body


class NotificationView(Body):
    """``read_at`` is null until the member has read it."""

    notification_id: str
    kind: str
    conversation_id: str
    case_id: str
    group_id: str | None
    raised_at: datetime
    read_at: datetime | None


class NotificationPage(Body):
    """Newest first. ``next`` is the cursor of the older page, null on the last one."""

    items: tuple[NotificationView, ...]
    next: str | None


class NotificationRule(Body):
    rule: Literal["case-in-group"]
    enabled: bool
    in_app: bool
    email: bool


class NotificationRules(Body):
    items: tuple[NotificationRule, ...]


class SetNotificationRule(RequestBody):
    """The rule whole. ``enabled`` false silences both ways of telling."""

    enabled: bool
    in_app: bool
    email: bool
