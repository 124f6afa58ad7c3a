"""What each role may do, and what who asks may do where: told, so that nobody has to try it."""

from fastapi import Request
from starlette.responses import Response

from libs.events.actions import SCOPES, Action, Scope
from libs.events.directory import Role
from libs.events.reach import reach_of
from libs.events.visibility import Sight, sight_of
from libs.runtime.http import json_response
from libs.runtime.problems import Forbidden
from services.gateway.access import Access, Actor
from services.gateway.api.routes import Routes
from services.gateway.api.shapes import Permission, Roles, RoleView, ScopedAction
from services.gateway.localization import TEXTS


def add_role_route(routes: Routes, access: Access) -> None:
    async def roles(request: Request) -> Response:
        actor = (await access.actor(request)).must(Action.READ)
        rows = [actor.directory.roles[role] for role in Role if role in actor.directory.roles]
        items = tuple(
            RoleView(
                role=row.role,
                name=TEXTS.say(f"role.{row.role}"),
                actions=tuple(action for action in Action if action in row.actions),
            )
            for row in rows
        )
        actions = tuple(ScopedAction(action=action, scope=SCOPES[action]) for action in Action)
        return json_response(Roles(items=items, actions=actions))

    routes.add(
        "GET", "/v1/roles", roles,
        name="listRoles", summary="What each role may do",
        description="The table by which requests are refused. Where I may do it myself, "
        "`GET /v1/me` tells.",
        answer=Roles, problems=(Forbidden,),
    )  # fmt: skip


def permissions_of(actor: Actor) -> tuple[Permission, ...]:
    """What the actor may do, each with where."""
    return tuple(_permission(actor, action) for action in Action if action in actor.actions)


def _permission(actor: Actor, action: Action) -> Permission:
    match SCOPES[action]:
        case Scope.WORKSPACE:
            where = Sight()
        case Scope.LOCATION:
            locations = reach_of(actor.member, actor.actions).locations
            where = Sight(None if locations is None else tuple(sorted(locations)))
        case Scope.GROUP:
            where = sight_of(actor.member, actor.directory.groups.values())
    return Permission(action=action, location_ids=where.location_ids, group_ids=where.group_ids)
