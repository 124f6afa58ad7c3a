"""Who may see a case, as a table."""

import pytest

from libs.events.conversation.case import Audience
from libs.events.directory import GroupState, MemberState, Role
from libs.events.visibility import may_see, visible_groups

EVERYONE = GroupState(group_id="grp_all", name="All")
CLOSED = GroupState(group_id="grp_closed", name="Closed", member_ids=("mbr_in",))
OTHERS = [Role.OPERATOR, Role.MODERATOR, Role.ANALYST, Role.READ_ONLY]


def member(
    role: Role = Role.OPERATOR,
    member_id: str = "mbr_out",
    locations: tuple[str, ...] = (),
    active: bool = True,
) -> MemberState:
    return MemberState(
        member_id=member_id,
        name="M",
        email="m@a.example",
        role=role,
        location_ids=locations,
        active=active,
    )


def audience(group: GroupState | None = None, *named: str) -> Audience:
    group_id = group.group_id if group else None
    return Audience(location_id="loc_1", group_id=group_id, member_ids=named)


@pytest.mark.parametrize("role", OTHERS)
@pytest.mark.parametrize(
    ("locations", "member_id", "group", "named", "sees"),
    [
        ((), "mbr_out", None, (), True),
        (("loc_1",), "mbr_out", None, (), True),
        (("loc_2",), "mbr_out", None, (), False),
        ((), "mbr_out", EVERYONE, (), True),
        (("loc_2",), "mbr_out", EVERYONE, (), False),
        ((), "mbr_in", CLOSED, (), True),
        (("loc_2",), "mbr_in", CLOSED, (), False),
        ((), "mbr_out", CLOSED, (), False),
        # Who is named (the responsible, a participant) sees it wherever it is.
        (("loc_2",), "mbr_out", CLOSED, ("mbr_out",), True),
    ],
)
def test_those_who_see_by_location_and_group(
    role: Role,
    locations: tuple[str, ...],
    member_id: str,
    group: GroupState | None,
    named: tuple[str, ...],
    sees: bool,
) -> None:
    one = member(role, member_id, locations)

    assert may_see(one, audience(group, *named), group) is sees


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
@pytest.mark.parametrize("group", [None, EVERYONE, CLOSED])
def test_owner_and_admins_see_everything(role: Role, group: GroupState | None) -> None:
    assert may_see(member(role, locations=("loc_2",)), audience(group), group)


@pytest.mark.parametrize("role", Role)
def test_nobody_sees_a_case_in_routing_and_the_inactive_see_nothing(role: Role) -> None:
    assert not may_see(member(role), None, None)
    assert not may_see(member(role, active=False), audience(None, "mbr_out"), None)


def test_a_group_that_is_not_known_is_for_owner_and_admins() -> None:
    unknown = Audience(location_id="loc_1", group_id="grp_gone")

    assert not may_see(member(), unknown, None)
    assert may_see(member(Role.ADMIN), unknown, None)


def test_visible_groups() -> None:
    groups = [EVERYONE, CLOSED]

    assert visible_groups(member(), groups) == ["grp_all"]
    assert visible_groups(member(member_id="mbr_in"), groups) == ["grp_all", "grp_closed"]
    assert visible_groups(member(Role.OWNER), groups) == ["grp_all", "grp_closed"]
