"""Who may see a case: one pure rule, used for lists, for single cases and for live updates."""

from collections.abc import Iterable

from libs.events.conversation import Audience
from libs.events.directory import GroupState, MemberState, Role

_SEES_EVERYTHING = frozenset({Role.OWNER, Role.ADMIN})


def sees_location(member: MemberState, location_id: str) -> bool:
    return not member.location_ids or location_id in member.location_ids


def sees_group(member: MemberState, group: GroupState | None) -> bool:
    """A group that is not known (None) is shown to nobody but owner and admins."""
    if member.role in _SEES_EVERYTHING:
        return True
    return group is not None and (not group.member_ids or member.member_id in group.member_ids)


def visible_groups(member: MemberState, groups: Iterable[GroupState]) -> list[str]:
    return [group.group_id for group in groups if sees_group(member, group)]


def may_see(member: MemberState, audience: Audience | None, group: GroupState | None) -> bool:
    """``group`` is the state of ``audience.group_id``. No audience: a case still in routing."""
    if audience is None or not member.active:
        return False
    if member.member_id in audience.member_ids:
        return True
    if member.role in _SEES_EVERYTHING:
        return True
    if not sees_location(member, audience.location_id):
        return False
    return audience.group_id is None or sees_group(member, group)
