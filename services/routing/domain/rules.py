"""The rules for workspaces, locations, groups and autoforwards."""

from typing import Literal

from libs.events.directory import Role
from services.routing.domain.errors import Clash, InvalidValue
from services.routing.domain.events import (
    AutoforwardRemoved,
    AutoforwardSet,
    DirectoryEvent,
    GroupRemoved,
    GroupSet,
    LocationRemoved,
    LocationSet,
    MemberJoined,
    RoleDefined,
    WorkspaceOpened,
)
from services.routing.domain.permissions import actions_of
from services.routing.domain.values import email_of, known, name_of, time_zone_of
from services.routing.domain.workspace import Workspace


def open_workspace(
    there: Workspace,
    *,
    name: str,
    language: Literal["ru", "uk", "en"],
    location_id: str,
    location_name: str,
    time_zone: str,
    owner_id: str,
    owner_name: str,
    owner_email: str,
) -> list[DirectoryEvent]:
    """With all that a workspace cannot be without. Errors: InvalidValue, Clash."""
    if there.workspace is not None:
        raise Clash("workspace-there")
    return [
        WorkspaceOpened(
            workspace_id=there.workspace_id, name=name_of("name", name), language=language
        ),
        *(RoleDefined(role=role, actions=actions_of(role)) for role in Role),
        LocationSet(
            location_id=location_id,
            name=name_of("location_name", location_name),
            time_zone=time_zone_of("time_zone", time_zone),
        ),
        MemberJoined(
            member_id=owner_id,
            name=name_of("owner_name", owner_name),
            email=email_of("owner_email", owner_email),
            role=Role.OWNER,
            location_ids=(),
        ),
    ]


def define_roles(there: Workspace) -> list[DirectoryEvent]:
    """What the permission table says now, where the workspace was told otherwise before."""
    return [
        RoleDefined(role=role, actions=actions_of(role))
        for role in Role
        if there.roles.get(role) is None or there.roles[role].actions != actions_of(role)
    ]


def add_location(
    _there: Workspace, location_id: str, *, name: str, time_zone: str
) -> list[DirectoryEvent]:
    return [
        LocationSet(
            location_id=location_id,
            name=name_of("name", name),
            time_zone=time_zone_of("time_zone", time_zone),
        )
    ]


def change_location(
    there: Workspace, location_id: str, *, name: str | None, time_zone: str | None
) -> list[DirectoryEvent]:
    now = there.location(location_id)
    fact = LocationSet(
        location_id=location_id,
        name=now.name if name is None else name_of("name", name),
        time_zone=now.time_zone if time_zone is None else time_zone_of("time_zone", time_zone),
    )
    return [fact] if (fact.name, fact.time_zone) != (now.name, now.time_zone) else []


def remove_location(there: Workspace, location_id: str) -> list[DirectoryEvent]:
    there.location(location_id)
    if any(source.location_id == location_id for source in there.sources.values()):
        raise Clash("location-has-sources")
    # A member without locations sees all of them: what restricts a member is never just dropped.
    if any(location_id in member.location_ids for member in there.members.values()):
        raise Clash("location-has-members")
    if len(there.locations) == 1:
        raise Clash("last-location")
    return [LocationRemoved(location_id=location_id)]


def add_group(
    there: Workspace, group_id: str, *, name: str, member_ids: tuple[str, ...]
) -> list[DirectoryEvent]:
    return [
        GroupSet(
            group_id=group_id,
            name=name_of("name", name),
            member_ids=known("member_ids", member_ids, there.members),
        )
    ]


def change_group(
    there: Workspace, group_id: str, *, name: str | None, member_ids: tuple[str, ...] | None
) -> list[DirectoryEvent]:
    now = there.group(group_id)
    fact = GroupSet(
        group_id=group_id,
        name=now.name if name is None else name_of("name", name),
        member_ids=(
            now.member_ids if member_ids is None else known("member_ids", member_ids, there.members)
        ),
    )
    return [fact] if (fact.name, fact.member_ids) != (now.name, now.member_ids) else []


def remove_group(there: Workspace, group_id: str) -> list[DirectoryEvent]:
    there.group(group_id)
    if any(rule.group_id == group_id for rule in there.autoforwards.values()):
        raise Clash("group-has-rules")
    return [GroupRemoved(group_id=group_id)]


def set_autoforward(
    there: Workspace, autoforward_id: str, *, source_ids: tuple[str, ...], group_id: str
) -> list[DirectoryEvent]:
    if not source_ids:
        raise InvalidValue("source_ids", "no-source")
    return [
        AutoforwardSet(
            autoforward_id=autoforward_id,
            source_ids=known("source_ids", source_ids, there.sources),
            group_id=known("group_id", (group_id,), there.groups)[0],
        )
    ]


def change_autoforward(
    there: Workspace,
    autoforward_id: str,
    *,
    source_ids: tuple[str, ...] | None,
    group_id: str | None,
) -> list[DirectoryEvent]:
    now = there.autoforward(autoforward_id)
    wanted = (
        now.source_ids if source_ids is None else source_ids,
        now.group_id if group_id is None else group_id,
    )
    if wanted == (now.source_ids, now.group_id):
        return []
    return set_autoforward(there, autoforward_id, source_ids=wanted[0], group_id=wanted[1])


def remove_autoforward(there: Workspace, autoforward_id: str) -> list[DirectoryEvent]:
    there.autoforward(autoforward_id)
    return [AutoforwardRemoved(autoforward_id=autoforward_id)]
