"""What a role may do: told as it is in the table, and refused as it is told.

What a role may not do is refused before anybody is asked, whatever the case or customer.
"""

import uuid

import pytest

from libs.events.actions import SCOPES, Action
from libs.events.directory import Role
from services.gateway.api import customers
from services.gateway.api.cases import COMMANDS
from services.routing.domain.permissions import PERMISSIONS
from tests.support.gateway.office import Office
from tests.support.gateway.suite import Member, Team

pytestmark = pytest.mark.servers


Staff = tuple[Team, dict[Role, Member]]
CASES = {f"/v1/conversations/cnv_1/{path}": action for path, action in COMMANDS.items()}
CUSTOMERS = {f"/v1/customers/cus_1/{path}": a for path, a in customers.COMMANDS.items()}


@pytest.mark.parametrize("path", [*CASES, *CUSTOMERS])
async def test_a_command_is_for_the_roles_whose_action_it_is(path: str, staff: Staff) -> None:
    action: Action = (CASES | CUSTOMERS)[path]
    refused = {}
    for role, member in staff[1].items():
        answer = await member.api("POST", path, {})
        # Behind this gateway nobody answers for conversations: who is let through meets that.
        assert answer.status in (403, 503), answer
        refused[role] = answer.status == 403

    assert refused == {role: action not in PERMISSIONS[role] for role in staff[1]}


CASE = "/v1/conversations/cnv_1"
# A request that is only let through with the action. Two have none of their own: an untaken case is
# closed by the path of all, and owners are made by the path of all members.
TRIED = {
    Action.READ: ("GET", "/v1/conversations", None),
    **{CASES[path]: ("POST", path, {}) for path in CASES if CASES[path] is not Action.READ},
    **{CUSTOMERS[path]: ("POST", path, {}) for path in CUSTOMERS},
    Action.ANSWER: ("POST", f"{CASE}/messages", {"text": "Hello"}),
    Action.NOTE: ("POST", f"{CASE}/notes", {"text": "Hello"}),
    Action.MARK: ("POST", f"{CASE}/flag", None),
    Action.RECORD_ACTIVITIES: ("POST", f"{CASE}/activities", {"activity": "order"}),
    Action.ERASE: ("POST", "/v1/customers/cus_1/erase", None),
    Action.SEE_METRICS: ("GET", "/v1/metrics/summary?from=2026-11-01&to=2026-11-02", None),
    Action.MANAGE_DIRECTORY: ("POST", "/v1/locations", {"name": ""}),
    Action.AUDIT: ("GET", f"{CASE}/audit", None),
}


def test_every_action_is_tried_but_those_without_a_path() -> None:
    assert set(Action) - set(TRIED) == {Action.CLOSE_UNTAKEN, Action.MANAGE_OWNERS}


@pytest.mark.parametrize("action", TRIED)
async def test_an_action_is_for_the_roles_that_the_table_gives_it(
    action: Action, staff: Staff
) -> None:
    answers = {role: await who.api(*TRIED[action]) for role, who in staff[1].items()}

    refused = {role: answer.status == 403 for role, answer in answers.items()}
    assert refused == {role: action not in PERMISSIONS[role] for role in staff[1]}
    assert {answers[role].body["action"] for role in refused if refused[role]} <= {action}


@pytest.mark.parametrize("role", Role)
async def test_an_owner_is_made_by_who_manages_owners(role: Role, team: Team) -> None:
    who = team.owner if role is Role.OWNER else await team.add(role)
    made = await who.api(
        "POST",
        "/v1/members",
        {"name": "Olha", "email": f"{uuid.uuid4().hex}@shop.example", "role": "owner"},
    )

    assert (made.status == 201) is (Action.MANAGE_OWNERS in PERMISSIONS[role])
    assert made.status in (201, 403)


@pytest.mark.parametrize("role", Role)
async def test_a_case_that_nobody_took_is_closed_by_whose_role_closes_such(
    role: Role, office: Office
) -> None:
    who = office.team.owner if role is Role.OWNER else await office.team.add(role)
    conversation_id = await office.receive("Is anybody there?")
    await office.shown(conversation_id)

    closed = await office.of(who)("POST", f"/v1/conversations/{conversation_id}/close")

    may = {Action.CLOSE, Action.CLOSE_UNTAKEN} <= PERMISSIONS[role]
    assert (closed.status == 200) is may
    assert closed.status in (200, 403, 409)


async def test_the_table_is_told_to_everybody(staff: Staff) -> None:
    for who in staff[1].values():
        told = (await who.api("GET", "/v1/roles", None, {"accept-language": "en"})).body
        assert {one["role"]: set(one["actions"]) for one in told["items"]} == PERMISSIONS
        assert [one["role"] for one in told["items"]] == list(Role)
        assert {one["action"]: one["scope"] for one in told["actions"]} == SCOPES


async def test_i_am_told_what_i_may_do_where(team: Team) -> None:
    member = await team.add(Role.OPERATOR, location_ids=[team.location_id])
    mine, _not_mine = await team.group("Mine", member), await team.group("Theirs", team.owner)

    told = (await member.api("GET", "/v1/me")).body

    assert {one["action"] for one in told["permissions"]} == PERMISSIONS[Role.OPERATOR]
    for one in told["permissions"]:
        assert one["location_ids"] == [team.location_id]
        assert one["group_ids"] == [mine]


async def test_no_location_limits_the_owner_and_one_limits_an_admins_directory(team: Team) -> None:
    admin = await team.add(Role.ADMIN, location_ids=[team.location_id])

    for who, directory in ((team.owner, None), (admin, [team.location_id])):
        told = (await who.api("GET", "/v1/me")).body["permissions"]
        limits = {one["action"]: one["location_ids"] for one in told}
        assert limits.pop(Action.MANAGE_DIRECTORY) == directory
        assert set(limits.values()) == {None}


async def test_an_api_token_is_told_what_it_may_do_itself(team: Team) -> None:
    made = await team.owner.api("POST", "/v1/api-tokens", {"name": "r", "actions": ["read"]})
    robot = team.owner.api.with_token(made.body["token"])

    assert (await robot("GET", "/v1/me")).body["permissions"] == [
        {"action": "read", "location_ids": None, "group_ids": None}
    ]
    assert (await robot("GET", "/v1/roles")).status == 200
