"""Who is told of a new case in a group."""

from collections.abc import Iterable

from libs.events.conversation.case import Audience
from libs.events.directory import GroupState, MemberState
from libs.events.visibility import may_see


def told_of_case(
    members: Iterable[MemberState], group: GroupState, audience: Audience | None
) -> list[MemberState]:
    """The group's active members or, where it is open to everyone, all who may see the case.

    Nobody is told of a case that they may not see (it is in a location that is not theirs).
    """
    return [
        member
        for member in members
        if may_see(member, audience, group)
        and (not group.member_ids or member.member_id in group.member_ids)
    ]
