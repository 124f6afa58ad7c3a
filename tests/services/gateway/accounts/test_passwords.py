"""Passwords: what is refused, what a temporary one is good for, and who gives another."""

import uuid

import pytest

from libs.events.directory import Role
from tests.support.gateway.suite import Api, Suite, Team, choose_password, new_team

pytestmark = pytest.mark.servers


async def _new(team: Team, role: Role = Role.OPERATOR, **fields: object) -> tuple[str, str, Api]:
    """A member who has not chosen a password yet: the id, the temporary one, their session."""
    email = f"{uuid.uuid4().hex[:8]}@shop.example"
    body = {"name": "Ira", "email": email, "role": role, **fields}
    made = (await team.owner.api("POST", "/v1/members", body)).body
    api = await team.owner.api.with_token(None).sign_in(email, made["password"])
    return made["member_id"], made["password"], api


@pytest.mark.parametrize("new", [" " * 10, "1234567890", "password2024", None])
async def test_what_is_easy_to_guess_is_refused(team: Team, new: str | None) -> None:
    body = {"current_password": team.owner.password, "new_password": new or team.owner.email}

    refused = await team.owner.api("POST", "/v1/me/password", body)

    assert refused.status == 422
    assert [one["field"] for one in refused.body["errors"]] == ["new_password"]


async def test_a_temporary_password_opens_only_the_choice_of_another(team: Team) -> None:
    _, password, ira = await _new(team, Role.ADMIN)
    asked = [
        ("GET", "/v1/conversations", None),
        ("GET", "/v1/members", None),
        ("POST", "/v1/api-tokens", {"name": "CRM"}),
        ("PATCH", "/v1/me", {"language": "en"}),
        ("POST", "/v1/members", {"name": "A", "email": "a@b.example", "role": "operator"}),
    ]

    refused = [await ira(*one) for one in asked]
    me = await ira("GET", "/v1/me")
    same = {"current_password": password, "new_password": password}
    same_again = await ira("POST", "/v1/me/password", same)
    await choose_password(ira, password)
    answered = await ira("GET", "/v1/members")

    assert {answer.status for answer in refused} == {403}
    assert {answer.body["type"] for answer in refused} == {
        "urn:parley:problem:password-is-temporary"
    }
    assert (me.status, me.body["password_is_temporary"]) == (200, True)
    assert same_again.status == 422
    assert answered.status == 200


async def test_the_choice_counts_at_once_on_every_replica(suite: Suite, team: Team) -> None:
    _, password, ira = await _new(team)
    elsewhere = Api(suite.http, suite.replica_url, ira.token)
    assert (await elsewhere("GET", "/v1/locations")).status == 403

    await choose_password(ira, password)

    assert (await elsewhere("GET", "/v1/locations")).status == 200


async def test_a_session_with_a_temporary_password_signs_out(team: Team) -> None:
    _, _, ira = await _new(team)

    assert (await ira("POST", "/v1/sign-out")).status == 204
    assert (await ira("GET", "/v1/me")).status == 401


async def test_an_owner_gives_another_password(team: Team) -> None:
    dima = await team.add(Role.OPERATOR)
    robot = dima.api.with_token(
        (await dima.api("POST", "/v1/api-tokens", {"name": "CRM"})).body["token"]
    )
    path = f"/v1/members/{dima.member_id}/password"

    given = await team.owner.api("POST", path, {})
    old = await dima.api("POST", "/v1/sign-in", {"email": dima.email, "password": dima.password})
    ended = await dima.api("GET", "/v1/me")
    again = await dima.api.with_token(None).sign_in(dima.email, given.body["password"])
    restricted = await again("GET", "/v1/locations")
    robot_goes_on = await robot("GET", "/v1/me")
    await team.owner.api("POST", path, {"end_api_tokens": True})

    assert given.status == 200
    assert given.body["member_id"] == dima.member_id
    assert (old.status, ended.status) == (401, 401)
    assert restricted.body["type"] == "urn:parley:problem:password-is-temporary"
    assert robot_goes_on.status == 200
    assert (await robot("GET", "/v1/me")).status == 401


async def test_a_member_whose_account_a_crash_left_out_gets_one(suite: Suite, team: Team) -> None:
    dima = await team.add(Role.OPERATOR)
    await suite.accounts.delete_one({"member_id": dima.member_id})

    given = await team.owner.api("POST", f"/v1/members/{dima.member_id}/password", {})

    assert given.status == 200
    assert await dima.api.with_token(None).sign_in(dima.email, given.body["password"])


async def test_nobody_gives_one_to_who_has_more_rights_or_to_themselves(team: Team) -> None:
    admin = await team.add(Role.ADMIN)
    local = await team.add(Role.ADMIN, location_ids=[team.location_id])
    operator = await team.add(Role.OPERATOR)
    asked = [
        (admin, team.owner.member_id),
        (admin, admin.member_id),
        (local, admin.member_id),
        (local, operator.member_id),
        (operator, local.member_id),
        (operator, operator.member_id),
        (team.owner, team.owner.member_id),
    ]

    refused = [await who.api("POST", f"/v1/members/{whose}/password", {}) for who, whose in asked]
    to_operator = await admin.api("POST", f"/v1/members/{operator.member_id}/password", {})

    assert [answer.status for answer in refused] == [403] * len(asked)
    assert to_operator.status == 200
    assert (await team.owner.api("GET", "/v1/me")).status == 200


async def test_another_workspaces_member_is_not_there(suite: Suite, api: Api, team: Team) -> None:
    stranger = (await new_team(suite, api)).owner

    refused = await team.owner.api("POST", f"/v1/members/{stranger.member_id}/password", {})

    assert refused.status == 404


async def test_api_tokens_end_with_a_change_where_that_is_asked(team: Team) -> None:
    owner = team.owner.api
    robot = owner.with_token((await owner("POST", "/v1/api-tokens", {"name": "CRM"})).body["token"])
    password = await choose_password(owner, team.owner.password)
    assert (await robot("GET", "/v1/me")).status == 200

    body = {
        "current_password": password,
        "new_password": "quite another one",
        "end_api_tokens": True,
    }
    changed = await owner("POST", "/v1/me/password", body)

    assert changed.status == 204
    assert (await robot("GET", "/v1/me")).status == 401
