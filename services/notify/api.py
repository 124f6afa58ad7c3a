"""A member's notifications, and the workspace's rule, over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api.notifications import NotificationRules, SetNotificationRule
from libs.runtime.bodies import BodyReader
from libs.runtime.http import caller_of, json_response
from libs.runtime.problems import Forbidden, NotFound
from libs.runtime.tokens import Caller, ServiceTokens
from services.notify.notifications import Notifications
from services.notify.rules import CASE_IN_GROUP, Rules, view

MOST_AT_ONCE: Final = 100


def router(notifications: Notifications, rules: Rules, tokens: ServiceTokens) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    caller_from = caller_of(tokens)
    wanted_rule = BodyReader(SetNotificationRule)

    def member(request: Request) -> Caller:
        caller = caller_from(request)
        if not caller.member_id:
            raise Forbidden("notifications are a member's")
        return caller

    Member = Annotated[Caller, Depends(member)]
    AnyCaller = Annotated[Caller, Depends(caller_from)]
    Limit = Annotated[int, Query(ge=1, le=MOST_AT_ONCE)]

    @routes.get("/notifications")
    async def of_member(caller: Member, cursor: str | None = None, limit: Limit = 50) -> Response:
        own = notifications.of(caller.workspace_id, caller.member_id)
        return json_response(await own.page(cursor, limit))

    @routes.post("/notifications/{notification_id}/read")
    async def read(caller: Member, notification_id: str) -> Response:
        own = notifications.of(caller.workspace_id, caller.member_id)
        found = await own.mark_read(notification_id, datetime.now(UTC))
        if found is None:
            raise NotFound("there is no such notification")
        return json_response(found)

    @routes.get("/notification-rules")
    async def all_rules(caller: AnyCaller) -> Response:
        found = await rules.of([caller.workspace_id])
        return json_response(NotificationRules(items=(view(found[caller.workspace_id]),)))

    @routes.put(f"/notification-rules/{CASE_IN_GROUP}")
    async def put_rule(caller: AnyCaller, request: Request) -> Response:
        if not caller.may(Action.MANAGE_DIRECTORY):
            raise Forbidden("your role does not change the rules")
        wanted, _raw = await wanted_rule.read(request)
        await rules.put(caller.workspace_id, wanted)
        return json_response(view(wanted))

    return routes
