"""Notifications and figures, passed on to the services that keep them."""

from collections.abc import Collection
from typing import Any, Final, get_args

import msgspec
from fastapi import Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api.conversations import ConversationsInSight, FindConversations
from libs.events.api.figures import By, Performance, Summary
from libs.events.api.notifications import (
    NotificationPage,
    NotificationRule,
    NotificationRules,
    NotificationView,
    SetNotificationRule,
)
from libs.runtime.problems import NotFound
from services.gateway.access import Access, Actor
from services.gateway.api.passing import ANSWERED, REFUSED, PassedOn, PassThrough
from services.gateway.api.routes import PAGE, Routes
from services.gateway.upstream import Upstream, passed_on, path_id

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


def add_notification_routes(
    routes: Routes, access: Access, notify: Upstream, conversation: Upstream
) -> None:
    through = PassThrough(access, notify)

    async def listed(request: Request) -> Response:
        actor = await access.actor(request)
        status, body, headers = await through.upstream.call(
            "GET", _with_query("/v1/notifications", request), actor=actor
        )
        if status < REFUSED:
            page = msgspec.json.decode(body, type=NotificationPage)
            visible = await _visible(conversation, actor, {i.conversation_id for i in page.items})
            items = tuple(one for one in page.items if one.conversation_id in visible)
            body = msgspec.json.encode(msgspec.structs.replace(page, items=items))
        return passed_on(status, body, headers)

    async def read(request: Request) -> Response:
        actor = await access.actor(request)
        own = f"/v1/notifications/{path_id(request)}"
        status, body, headers = await through.upstream.call("GET", own, actor=actor)
        if status < REFUSED:
            told = msgspec.json.decode(body, type=NotificationView)
            if not await _visible(conversation, actor, {told.conversation_id}):
                raise NotFound
            status, body, headers = await through.upstream.call("POST", f"{own}/read", actor=actor)
        return passed_on(status, body, headers)

    one = "/v1/notifications/{id}/read"
    rule = "/v1/notification-rules/case-in-group"
    routes.add(
        "GET", "/v1/notifications", listed,
        name="listNotifications", summary="What I was told, the newest first",
        description="Of conversations that I may see now: a page may have fewer than its limit.",
        answer=NotificationPage, query=PAGE, problems=ANSWERED,
    )  # fmt: skip
    routes.add(
        "POST", one, read,
        name="readNotification", summary="Mark a notification as read", once=False,
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


def _with_query(path: str, request: Request) -> str:
    return f"{path}?{request.url.query}" if request.url.query else path


async def _visible(conversation: Upstream, actor: Actor, ids: Collection[str]) -> set[str]:
    """Which of the conversations the actor may see now. Errors: Unavailable, what conversation
    refuses."""
    if not ids:
        return set()
    status, body, headers = await conversation.call(
        "POST",
        "/internal/v1/conversations",
        actor=actor,
        body=msgspec.json.encode(FindConversations(ids=tuple(sorted(ids)))),
    )
    if status >= REFUSED:
        raise PassedOn(passed_on(status, body, headers))
    return set(msgspec.json.decode(body, type=ConversationsInSight).visible)
