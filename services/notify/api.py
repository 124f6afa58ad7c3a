"""A member's notifications, and the workspace's rule, over HTTP."""

from datetime import UTC, datetime
from typing import Final

from fastapi import FastAPI, Request
from starlette.responses import Response

from libs.events.api.notifications import NotificationRules, SetNotificationRule
from libs.events.api.values import PageLimit
from libs.events.registry import Body
from libs.runtime.bodies import BodyReader, read_nothing, read_query
from libs.runtime.http import json_response
from libs.runtime.problems import NotFound
from libs.runtime.trust import caller_of
from services.notify.notifications.notifications import Notifications
from services.notify.notifications.rules import CASE_IN_GROUP, Rules, view

_PAGE_DEFAULT: Final = 50


class _PageQuery(Body):
    cursor: str | None = None
    limit: PageLimit = _PAGE_DEFAULT


def add_routes(app: FastAPI, notifications: Notifications, rules: Rules) -> None:
    wanted_rule = BodyReader(SetNotificationRule)

    async def of_member(request: Request) -> Response:
        caller, asked = caller_of(request), read_query(request, _PageQuery)
        own = notifications.of(caller.workspace_id, caller.member_id)
        return json_response(await own.page(asked.cursor, asked.limit))

    async def one(request: Request) -> Response:
        caller = caller_of(request)
        own = notifications.of(caller.workspace_id, caller.member_id)
        found = await own.get(request.path_params["notification_id"])
        if found is None:
            raise NotFound
        return json_response(found)

    async def read(request: Request) -> Response:
        caller = caller_of(request)
        await read_nothing(request)
        own = notifications.of(caller.workspace_id, caller.member_id)
        found = await own.mark_read(request.path_params["notification_id"], datetime.now(UTC))
        if found is None:
            raise NotFound
        return json_response(found)

    async def all_rules(request: Request) -> Response:
        caller = caller_of(request)
        found = await rules.of([caller.workspace_id])
        return json_response(NotificationRules(items=(view(found[caller.workspace_id]),)))

    async def put_rule(request: Request) -> Response:
        caller = caller_of(request)
        wanted, _raw = await wanted_rule.read(request)
        await rules.put(caller.workspace_id, wanted)
        return json_response(view(wanted))

    rule = f"/v1/notification-rules/{CASE_IN_GROUP}"
    app.add_route("/v1/notifications", of_member, ["GET"])
    app.add_route("/v1/notifications/{notification_id}", one, ["GET"])
    app.add_route("/v1/notifications/{notification_id}/read", read, ["POST"])
    app.add_route("/v1/notification-rules", all_rules, ["GET"])
    app.add_route(rule, put_rule, ["PUT"])
