"""Who may see a case: one pure rule, used for lists, for single cases and for live updates."""

from collections.abc import Iterable
from dataclasses import dataclass

from libs.events.conversation.case import Audience
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


@dataclass(frozen=True, slots=True)
class Sight:
    """Which cases are in a member's sight but those in which they take part themselves: those of
    the locations and of no group or of the groups; None: of all."""

    location_ids: tuple[str, ...] | None = None
    group_ids: tuple[str, ...] | None = None


def sight_of(member: MemberState, groups: Iterable[GroupState]) -> Sight:
    """As ``may_see``, for who asks of many cases at once and not of one."""
    if not member.active:
        return Sight((), ())
    if member.role in _SEES_EVERYTHING:
        return Sight()
    return Sight(member.location_ids or None, tuple(visible_groups(member, groups)))


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
