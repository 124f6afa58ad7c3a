"""A member's notifications, and the workspace's rule, over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api.notifications import NotificationRules, SetNotificationRule
from libs.events.registry import Body
from libs.runtime.bodies import BodyReader, read_nothing, read_query
from libs.runtime.http import caller_of, json_response
from libs.runtime.problems import Forbidden, NotFound
from libs.runtime.texts import COMMON
from libs.runtime.tokens import Caller, ServiceTokens
from services.notify.notifications import Notifications
from services.notify.rules import CASE_IN_GROUP, Rules, view

MOST_AT_ONCE: Final = 100


class _PageQuery(Body):
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_AT_ONCE)] = 50


def router(notifications: Notifications, rules: Rules, tokens: ServiceTokens) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    caller_from = caller_of(tokens)
    wanted_rule = BodyReader(SetNotificationRule)

    def member(request: Request) -> Caller:
        caller = caller_from(request)
        if not caller.member_id:
            raise Forbidden(COMMON.say("forbidden.members-only"))
        return caller

    @routes.get("/notifications")
    async def of_member(request: Request) -> Response:
        caller, asked = member(request), read_query(request, _PageQuery)
        own = notifications.of(caller.workspace_id, caller.member_id)
        return json_response(await own.page(asked.cursor, asked.limit))

    @routes.post("/notifications/{notification_id}/read")
    async def read(request: Request, notification_id: str) -> Response:
        caller = member(request)
        await read_nothing(request)
        own = notifications.of(caller.workspace_id, caller.member_id)
        found = await own.mark_read(notification_id, datetime.now(UTC))
        if found is None:
            raise NotFound
        return json_response(found)

    @routes.get("/notification-rules")
    async def all_rules(request: Request) -> Response:
        caller = caller_from(request)
        found = await rules.of([caller.workspace_id])
        return json_response(NotificationRules(items=(view(found[caller.workspace_id]),)))

    @routes.put(f"/notification-rules/{CASE_IN_GROUP}")
    async def put_rule(request: Request) -> Response:
        caller = caller_from(request)
        if not caller.may(Action.MANAGE_DIRECTORY):
            raise Forbidden(COMMON.say("forbidden.action"))
        wanted, _raw = await wanted_rule.read(request)
        await rules.put(caller.workspace_id, wanted)
        return json_response(view(wanted))

    return routes
