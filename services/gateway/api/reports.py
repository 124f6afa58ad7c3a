"""Notifications and figures, passed on to the services that keep them."""

from datetime import datetime
from typing import Any, Final, Literal

from libs.events.actions import Action
from libs.events.registry import Body
from libs.runtime.bodies import RequestBody
from libs.runtime.problems import Invalid
from services.gateway.access import Access
from services.gateway.api.passing import ANSWERED, PassThrough
from services.gateway.api.routes import PAGE, Routes
from services.gateway.upstream import Upstream


class Count(Body):
    """``change_percent`` against the period before; null where that was 0."""

    value: int
    previous: int
    change_percent: int | None


class Rate(Body):
    """``value`` is ``part / whole``, 0..1; null of nothing. ``text`` is how it is shown."""

    part: int
    whole: int
    value: float | None
    text: str


class ComparedRate(Rate):
    previous: float | None
    previous_text: str
    change_percent: int | None


class Duration(Body):
    seconds: float | None
    text: str


class ComparedDuration(Duration):
    previous_seconds: float | None
    previous_text: str
    change_percent: int | None


class Times(Body):
    """``measured``: how many answers, or closed cases, they are made of."""

    measured: int
    average: Duration
    median: Duration
    p90: Duration


class ComparedTimes(Body):
    measured: int
    average: ComparedDuration
    median: ComparedDuration
    p90: ComparedDuration


class Summary(Body, rename={"start": "from", "end": "to"}):
    """Cases opened in the period, beside the period of the same length just before."""

    start: datetime
    end: datetime
    previous_from: datetime
    all: Count
    responded: Count
    unresponded: Count
    assigned: Count
    open: Count
    closed: Count
    response_rate_by_cases: ComparedRate
    response_rate_by_turns: ComparedRate
    time_to_respond: ComparedTimes
    time_to_close: ComparedTimes


class PerformanceRow(Body):
    """``key`` is an id or a channel; null: no member, or no group."""

    key: str | None
    all: int
    responded: int
    unresponded: int
    assigned: int
    open: int
    closed: int
    response_rate: Rate
    time_to_respond: Times
    time_to_close: Times


class Performance(Body, rename={"start": "from", "end": "to"}):
    by: Literal["member", "source", "channel", "group", "location"]
    start: datetime
    end: datetime
    items: tuple[PerformanceRow, ...]


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
    """Newest first."""

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


_PERIOD: Final[tuple[dict[str, Any], ...]] = tuple(
    {
        "name": name,
        "in": "query",
        "required": True,
        "description": f"RFC 3339, {bound}.",
        "schema": {"type": "string", "format": "date-time"},
    }
    for name, bound in (("from", "inclusive"), ("to", "exclusive"))
)
_BY: Final[dict[str, Any]] = {
    "name": "by",
    "in": "query",
    "required": True,
    "description": "What the rows are of.",
    "schema": {"type": "string", "enum": ["member", "source", "channel", "group", "location"]},
}


def add_metrics_routes(routes: Routes, access: Access, analytics: Upstream) -> None:
    through = PassThrough(access, analytics)
    routes.add(
        "GET", "/v1/metrics/summary", through.to("/v1/metrics/summary", Action.SEE_METRICS),
        name="getSummary", summary="The figures of a period beside those of the one before",
        answer=Summary, query=_PERIOD, problems=(*ANSWERED, Invalid),
    )  # fmt: skip
    routes.add(
        "GET", "/v1/metrics/performance",
        through.to("/v1/metrics/performance", Action.SEE_METRICS),
        name="getPerformance", summary="The figures of a period by member, source, …",
        answer=Performance, query=(_BY, *_PERIOD), problems=(*ANSWERED, Invalid),
    )  # fmt: skip


def add_notification_routes(routes: Routes, access: Access, notify: Upstream) -> None:
    through = PassThrough(access, notify)
    one = "/v1/notifications/{id}/read"
    rule = "/v1/notification-rules/case-in-group"
    routes.add(
        "GET", "/v1/notifications", through.to("/v1/notifications", None),
        name="listNotifications", summary="What I was told, the newest first",
        answer=NotificationPage, query=PAGE, problems=(*ANSWERED, Invalid),
    )  # fmt: skip
    routes.add(
        "POST", one, through.to(one, None),
        name="readNotification", summary="Mark a notification as read",
        answer=NotificationView, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", "/v1/notification-rules", through.to("/v1/notification-rules", Action.READ),
        name="listNotificationRules", summary="Who is told of what, and how",
        answer=NotificationRules, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "PUT", rule, through.to(rule, Action.MANAGE_DIRECTORY, takes_body=True),
        name="setCaseInGroupRule", summary="How the members of a group are told of a new case",
        body=SetNotificationRule, answer=NotificationRule, problems=ANSWERED,
    )  # fmt: skip
