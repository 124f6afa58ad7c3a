"""Notifications and figures, passed on to the services that keep them."""

from typing import Any, Final, get_args

from libs.events.actions import Action
from libs.events.api.figures import By, Performance, Summary
from libs.events.api.notifications import (
    NotificationPage,
    NotificationRule,
    NotificationRules,
    NotificationView,
    SetNotificationRule,
)
from services.gateway.access import Access
from services.gateway.api.passing import ANSWERED, PassThrough
from services.gateway.api.routes import Routes, page
from services.gateway.upstream import Upstream

_PERIOD: Final[tuple[dict[str, Any], ...]] = tuple(
    {
        "name": name,
        "in": "query",
        "required": True,
        "description": f"RFC 3339, or a local date in the time zone; {bound}.",
        "schema": {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
            ]
        },
    }
    for name, bound in (("from", "inclusive"), ("to", "exclusive"))
)
_ZONE: Final[dict[str, Any]] = {
    "name": "time_zone",
    "in": "query",
    "description": "In whose local days: a name of the IANA database; else that of most locations "
    "that I may see.",
    "schema": {"type": "string", "maxLength": 100},
}
_IN_SIGHT: Final = "Of the locations and groups whose cases I may see."
_BY: Final[dict[str, Any]] = {
    "name": "by",
    "in": "query",
    "required": True,
    "description": "What the rows are of.",
    "schema": {"type": "string", "enum": list(get_args(By))},
}


def add_metrics_routes(routes: Routes, access: Access, analytics: Upstream) -> None:
    through = PassThrough(access, analytics)
    routes.add(
        "GET", "/v1/metrics/summary", through.to("/v1/metrics/summary", Action.SEE_METRICS),
        name="getSummary", summary="The figures of a period beside those of the one before",
        description=f"{_IN_SIGHT} The period before it has as many local days; where the period is "
        "not over, as much of them as is over.",
        answer=Summary, query=(*_PERIOD, _ZONE), problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "GET", "/v1/metrics/performance",
        through.to("/v1/metrics/performance", Action.SEE_METRICS),
        name="getPerformance", summary="The figures of a period by member, source, …",
        description=_IN_SIGHT, answer=Performance, query=(_BY, *_PERIOD, _ZONE), problems=ANSWERED,
    )  # fmt: skip


def add_notification_routes(routes: Routes, access: Access, notify: Upstream) -> None:
    through = PassThrough(access, notify)
    one = "/v1/notifications/{id}/read"
    rule = "/v1/notification-rules/case-in-group"
    routes.add(
        "GET", "/v1/notifications", through.to("/v1/notifications", None),
        name="listNotifications", summary="What I was told, the newest first",
        answer=NotificationPage, query=page(100), problems=ANSWERED,
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
