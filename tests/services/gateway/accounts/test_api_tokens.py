"""API tokens have limits of their own, and none of them outgrows its member."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.directory import Role
from services.gateway.accounts.ending import TokensEnding
from services.gateway.accounts.sessions import Sessions
from services.gateway.metrics import API_TOKENS_ENDING
from tests.support.gateway.suite import Api, Suite, Team

pytestmark = pytest.mark.servers


async def _token(api: Api, **asked: Any) -> Api:
    made = await api("POST", "/v1/api-tokens", {"name": "CRM", **asked})
    assert made.status == 201, made.content
    return api.with_token(made.body["token"])


async def test_a_token_does_what_its_scope_says_and_nothing_else(team: Team) -> None:
    robot = await _token(team.owner.api, actions=["read"])

    me = await robot("GET", "/v1/me")
    listed = await robot("GET", "/v1/locations")
    added = await robot("POST", "/v1/locations", {"name": "Lviv"})
    figures = await robot(
        "GET", "/v1/metrics/summary?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"
    )

    assert me.body["actions"] == ["read"]
    assert (listed.status, added.status, figures.status) == (200, 403, 403)


async def test_a_scope_is_never_more_than_its_maker_has_now_or_later(team: Team) -> None:
    dima = await team.add(Role.ADMIN)
    refused = await dima.api("POST", "/v1/api-tokens", {"name": "X", "actions": ["manage_owners"]})
    robot = await _token(dima.api)
    narrow = await _token(dima.api, actions=["read", "manage_directory"])
    assert (await narrow("POST", "/v1/locations", {"name": "Lviv"})).status == 201

    member = f"/v1/members/{dima.member_id}"
    await team.owner.api("PATCH", member, {"role": "operator"})
    lowered = await narrow("POST", "/v1/locations", {"name": "Odesa"})
    await team.owner.api("PATCH", member, {"role": "owner"})
    raised = (await robot("GET", "/v1/me")).body["actions"]

    assert refused.status == 403
    assert lowered.status == 403
    assert "manage_owners" not in raised
    assert (await dima.api("GET", "/v1/me")).body["actions"] != raised


async def test_what_is_no_action_is_refused(team: Team) -> None:
    unknown = await team.owner.api("POST", "/v1/api-tokens", {"name": "X", "actions": ["rule"]})

    assert unknown.status == 422


async def test_a_token_expires(suite: Suite, team: Team) -> None:
    owner = team.owner.api
    now = datetime.now(UTC)
    wrong = [
        await owner("POST", "/v1/api-tokens", {"name": "X", "expires_at": instant.isoformat()})
        for instant in (now - timedelta(seconds=1), now + timedelta(days=400))
    ]
    made = await owner("POST", "/v1/api-tokens", {"name": "CRM"})
    robot = await _token(owner, expires_at=(now + timedelta(days=1)).isoformat())
    assert (await robot("GET", "/v1/me")).status == 200

    kept = suite.mongo[suite.environment["PARLEY_MONGODB_DATABASE"]]["gateway_api_tokens"]
    await kept.update_many(
        {"member_id": team.owner.member_id}, {"$set": {"expires_at": datetime.now(UTC)}}
    )
    elsewhere = Api(suite.http, suite.replica_url, robot.token)

    assert [answer.status for answer in wrong] == [422, 422]
    lifetime = datetime.fromisoformat(made.body["expires_at"]) - now
    assert timedelta(days=365) < lifetime < timedelta(days=367)
    assert (await elsewhere("GET", "/v1/me")).status == 401


async def test_a_token_of_an_older_version_gets_an_end_too(suite: Suite, team: Team) -> None:
    robot = await _token(team.owner.api)
    database = suite.mongo[suite.environment["PARLEY_MONGODB_DATABASE"]]
    mine = {"member_id": team.owner.member_id}
    await database["gateway_api_tokens"].update_many(
        mine, {"$unset": {"expires_at": "", "actions": ""}}
    )

    await Sessions(database, timedelta(hours=1), bytes(32)).ensure_indexes()

    listed = (await team.owner.api("GET", "/v1/api-tokens")).body["items"]
    assert [one["actions"] for one in listed] == [None]
    assert datetime.fromisoformat(listed[0]["expires_at"]) > datetime.now(UTC) + timedelta(days=365)
    assert (await robot("GET", "/v1/me")).status == 200


async def test_members_tokens_and_passwords_are_for_persons(team: Team) -> None:
    """Also of an owner's token: it would make an owner who outlives it."""
    dima = await team.add(Role.OPERATOR)
    robot = await _token(team.owner.api)
    path = f"/v1/members/{dima.member_id}"
    asked: list[tuple[str, str, object]] = [
        ("POST", "/v1/members", {"name": "A", "email": "a@b.example", "role": "owner"}),
        ("PATCH", path, {"role": "owner"}),
        ("DELETE", path, None),
        ("POST", f"{path}/password", {}),
        ("POST", "/v1/me/password", {"current_password": "x", "new_password": "y"}),
        ("POST", "/v1/api-tokens", {"name": "more"}),
        ("DELETE", "/v1/api-tokens/tok_x", None),
        ("POST", "/v1/sign-out", None),
    ]

    statuses = [(await robot(*one)).status for one in asked]

    assert statuses == [403] * len(asked)
    assert (await robot("GET", path)).body["role"] == "operator"


async def test_tokens_about_to_end_are_counted_unless_they_were_made_for_a_short_time(
    suite: Suite, team: Team
) -> None:
    now, tokens = datetime.now(UTC), database_of(suite)["gateway_api_tokens"]
    before = await ending(suite)
    for age_days, left_days in ((300, 3), (300, 30), (1, 3)):
        asked = {"expires_at": (now + timedelta(days=left_days)).isoformat()}
        made = await team.owner.api("POST", "/v1/api-tokens", {"name": "CRM", **asked})
        created_at = {"created_at": now - timedelta(days=age_days)}
        await tokens.update_one({"token_id": made.body["token_id"]}, {"$set": created_at})

    assert await ending(suite) == before + 1


def database_of(suite: Suite) -> AsyncDatabase[dict[str, Any]]:
    return suite.mongo[suite.environment["PARLEY_MONGODB_DATABASE"]]


async def ending(suite: Suite) -> float:
    """What the gauge says when it has been counted."""
    await TokensEnding(Sessions(database_of(suite), timedelta(hours=1), bytes(32))).count()
    return float(API_TOKENS_ENDING._value.get())
