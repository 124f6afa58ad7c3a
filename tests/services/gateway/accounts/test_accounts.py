"""Signing in and out, passwords, sessions, API tokens, and the first workspace."""

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from argon2 import PasswordHasher

from libs.events.directory import Role
from libs.runtime import attempts
from services.gateway.accounts import accounts
from services.gateway.accounts.sessions import CACHED_SECONDS
from tests.support.eventually import eventually
from tests.support.gateway.suite import Answer, Api, Suite, Team, new_team, open_workspace
from tests.support.trust import tokens_of

pytestmark = pytest.mark.servers

_LONG = 10_000_000
ALLOWED_OF_ACCOUNT, ALLOWED_OF_ADDRESS = 3, 6


async def test_an_owner_signs_in_with_the_password_that_was_shown_once(
    suite: Suite, api: Api
) -> None:
    opened = await open_workspace(suite, api, "Olena@Coffee.example")
    again = await open_workspace(suite, api, "olena@coffee.example")
    made = opened.body

    signed_in = await api(
        "POST", "/v1/sign-in", {"email": " OLENA@coffee.example", "password": made["password"]}
    )

    assert (opened.status, made["created"]) == (201, True)
    assert again.status == 200
    assert again.body == {
        "workspace_id": made["workspace_id"],
        "location_id": made["location_id"],
        "member_id": made["member_id"],
        "email": "Olena@Coffee.example",
        "created": False,
    }
    assert signed_in.status == 200
    assert signed_in.body["member"]["member_id"] == made["member_id"]
    assert signed_in.body["workspace"]["name"] == "Coffee & Co"
    assert "manage_directory" in signed_in.body["actions"]
    assert signed_in.body["password_is_temporary"] is False


async def test_only_the_command_line_opens_workspaces(suite: Suite, api: Api, team: Team) -> None:
    other = tokens_of("notify").issue("gateway", "")

    refused = await api.with_token(other)("POST", "/internal/v1/workspaces", {})
    unknown = await team.owner.api("POST", "/internal/v1/workspaces", {})

    assert refused.status == 403
    assert unknown.status == 401


async def test_an_account_that_a_crash_left_out_is_made_by_the_next_call(
    suite: Suite, api: Api
) -> None:
    first = (await open_workspace(suite, api, "crash@shop.example")).body
    await suite.accounts.delete_one({"member_id": first["member_id"]})

    second = (await open_workspace(suite, api, "crash@shop.example")).body

    assert second["created"] is True
    assert second["workspace_id"] == first["workspace_id"]
    assert await api.sign_in("crash@shop.example", second["password"])


async def test_a_wrong_password_and_an_unknown_email_are_told_the_same(
    api: Api, team: Team
) -> None:
    answers, seconds = [], []
    for email in (team.owner.email, "nobody@shop.example"):
        began = time.perf_counter()
        answers.append(await api("POST", "/v1/sign-in", {"email": email, "password": "no such"}))
        seconds.append(time.perf_counter() - began)

    wrong, unknown = answers
    assert wrong.status == unknown.status == 401
    assert wrong.body == unknown.body
    assert wrong.body["type"] == "urn:parley:problem:wrong-sign-in"
    # Both verified a hash: the unknown one was not refused straight away.
    assert min(seconds) > 0.2 * max(seconds)


async def test_an_account_of_another_workspace_does_not_sign_in_here(api: Api, team: Team) -> None:
    body = {"email": team.owner.email, "password": team.owner.password, "workspace_id": "wsp_x"}

    refused = await api("POST", "/v1/sign-in", body)
    right = await api("POST", "/v1/sign-in", body | {"workspace_id": team.workspace_id})

    assert (refused.status, right.status) == (401, 200)


async def guess(api: Api, address: str, email: str, password: str | None = None) -> Answer:
    """As a proxy tells of a client at the address. No password: a wrong one."""
    body = {"email": email, "password": password or "a guess"}
    return await api("POST", "/v1/sign-in", body, headers={"X-Forwarded-For": address})


@pytest.fixture
def _window(monkeypatch: pytest.MonkeyPatch) -> None:
    """One so long that it does not end within a test, and fewer hashes until it is full."""
    assert (accounts.ALLOWED_OF_ACCOUNT, accounts.ALLOWED_OF_ADDRESS) == (10, 30)
    monkeypatch.setattr(attempts, "WINDOW_SECONDS", _LONG)
    monkeypatch.setattr(accounts, "ALLOWED_OF_ACCOUNT", ALLOWED_OF_ACCOUNT)
    monkeypatch.setattr(accounts, "ALLOWED_OF_ADDRESS", ALLOWED_OF_ADDRESS)


@pytest.mark.usefixtures("_window")
async def test_an_address_that_tries_many_accounts_has_to_wait(api: Api) -> None:
    address = new_address()
    tried = [
        await guess(api, address, f"{uuid.uuid4().hex}@shop.example")
        for _ in range(ALLOWED_OF_ADDRESS + 1)
    ]

    assert [one.status for one in tried] == [401] * ALLOWED_OF_ADDRESS + [429]
    wait = int(tried[-1].headers["retry-after"])
    assert (time.time() + wait) // _LONG == time.time() // _LONG + 1
    assert (await guess(api, new_address(), "x@shop.example")).status == 401


@pytest.mark.usefixtures("_window")
async def test_a_network_of_ipv6_is_one_address(api: Api) -> None:
    network = f"2001:db8:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}"
    tried = [
        await guess(api, f"{network}::{number:x}", f"{uuid.uuid4().hex}@shop.example")
        for number in range(1, ALLOWED_OF_ADDRESS + 2)
    ]
    assert tried[-1].status == 429


@pytest.mark.usefixtures("_window")
async def test_an_account_that_is_tried_from_many_addresses_is_closed_to_strangers(
    suite: Suite, api: Api, team: Team
) -> None:
    home, email, password = new_address(), team.owner.email, str(team.owner.password)
    assert (await guess(api, home, email, password)).status == 200
    replica = Api(suite.http, suite.replica_url)

    tried = [
        (await guess(replica if number % 2 else api, new_address(), email)).status
        for number in range(ALLOWED_OF_ACCOUNT)
    ]
    assert tried == [401] * ALLOWED_OF_ACCOUNT
    # By all replicas, for whoever it is, also with the right password.
    assert (await guess(replica, new_address(), email)).status == 429
    assert (await guess(api, new_address(), email, password)).status == 429

    # But its owner is at home.
    assert (await guess(api, home, email)).status == 401
    assert (await guess(replica, home, email, password)).status == 200
    for _ in range(ALLOWED_OF_ACCOUNT - 1):
        assert (await guess(api, home, email)).status == 401
    assert (await guess(api, home, email, password)).status == 429


@pytest.mark.usefixtures("_window")
async def test_an_e_mail_that_nobody_has_is_refused_as_one_that_somebody_has(
    api: Api, team: Team
) -> None:
    told = []
    for email in (team.owner.email, f"{uuid.uuid4().hex}@shop.example"):
        tried = [await guess(api, new_address(), email) for _ in range(ALLOWED_OF_ACCOUNT + 1)]
        told.append([(one.status, one.content) for one in tried])
    assert told[0] == told[1]


@pytest.mark.usefixtures("_window")
async def test_a_right_password_is_no_guess(api: Api, team: Team) -> None:
    address, email, password = new_address(), team.owner.email, str(team.owner.password)
    for _ in range(ALLOWED_OF_ACCOUNT + 1):
        assert (await guess(api, address, email, password)).status == 200


def new_address() -> str:
    return f"100.{'.'.join(str(byte) for byte in uuid.uuid4().bytes[:3])}"


async def test_a_hash_with_old_parameters_is_made_anew_at_sign_in(
    suite: Suite, api: Api, team: Team
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    mine = {"member_id": team.owner.member_id}
    await suite.accounts.update_one(mine, {"$set": {"password_hash": weak}})

    await api.sign_in(team.owner.email, "correct horse")

    kept = (await suite.accounts.find_one(mine))["password_hash"]
    assert not PasswordHasher().check_needs_rehash(kept)
    assert await api.sign_in(team.owner.email, "correct horse")


async def test_signing_out_ends_the_token_here_at_once_and_elsewhere_soon(
    suite: Suite, api: Api, team: Team
) -> None:
    session = await api.sign_in(team.owner.email, team.owner.password)
    elsewhere = Api(suite.http, suite.replica_url, session.token)
    assert (await elsewhere("GET", "/v1/me")).status == 200

    assert (await session("POST", "/v1/sign-out")).status == 204

    here = await session("GET", "/v1/me")
    assert here.status == 401
    assert here.headers["www-authenticate"] == 'Bearer realm="parley"'

    async def ended() -> bool:
        return (await elsewhere("GET", "/v1/me")).status == 401

    await eventually(ended, within_seconds=2 * CACHED_SECONDS)


async def test_an_expired_session_is_no_session(suite: Suite, api: Api, team: Team) -> None:
    session = await api.sign_in(team.owner.email, team.owner.password)
    kept = suite.mongo[suite.environment["PARLEY_MONGODB_DATABASE"]]["gateway_sessions"]
    await kept.update_many(
        {"member_id": team.owner.member_id}, {"$set": {"expires_at": datetime.now(UTC)}}
    )

    assert (await session("GET", "/v1/me")).status == 401


async def test_tokens_are_kept_as_hashes_only(suite: Suite, team: Team) -> None:
    token = team.owner.api.token or ""
    database = suite.mongo[suite.environment["PARLEY_MONGODB_DATABASE"]]
    made = await team.owner.api("POST", "/v1/api-tokens", {"name": "CRM"})

    kept: list[Any] = [d async for d in database["gateway_sessions"].find({})]
    kept += [d async for d in database["gateway_api_tokens"].find({})]

    assert kept
    assert token not in repr(kept)
    assert made.body["token"] not in repr(kept)


async def test_changing_the_password_ends_the_other_sessions(api: Api, team: Team) -> None:
    other = await api.sign_in(team.owner.email, team.owner.password)
    change = {"current_password": team.owner.password, "new_password": "a better one 1"}

    wrong = await team.owner.api("POST", "/v1/me/password", change | {"current_password": "no"})
    short = await team.owner.api("POST", "/v1/me/password", change | {"new_password": "short"})
    done = await team.owner.api("POST", "/v1/me/password", change)

    assert (wrong.status, short.status, done.status) == (422, 422, 204)
    # Who is signed in stays so: a client signs its user out on 401.
    assert wrong.body["errors"][0]["field"] == "current_password"
    assert (await other("GET", "/v1/me")).status == 401
    assert (await team.owner.api("GET", "/v1/me")).status == 200
    assert await api.sign_in(team.owner.email, "a better one 1")


async def test_an_api_token_is_made_once_for_a_key(api: Api, team: Team) -> None:
    owner, headers = team.owner.api, {"idempotency-key": "pager 1"}
    first = await owner("POST", "/v1/api-tokens", {"name": "Pager"}, headers)
    again = await owner("POST", "/v1/api-tokens", {"name": "Pager"}, headers)
    other = await owner("POST", "/v1/api-tokens", {"name": "Other"}, headers)
    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert again.body == first.body
    listed = await owner("GET", "/v1/api-tokens")
    assert [one["name"] for one in listed.body["items"]] == ["Pager"]
    assert (await api.with_token(again.body["token"])("GET", "/v1/me")).status == 200
    # Of another session the key makes another token: it cannot be told the first one's.
    second = await api.sign_in(team.owner.email, team.owner.password)
    made = await second("POST", "/v1/api-tokens", {"name": "Pager"}, headers)
    assert made.body["token"] != first.body["token"]


async def test_an_api_token_is_shown_once_works_and_ends(team: Team) -> None:
    owner = team.owner.api
    made = await owner("POST", "/v1/api-tokens", {"name": " CRM "})
    robot = owner.with_token(made.body["token"])

    listed = await owner("GET", "/v1/api-tokens")
    assert made.status == 201
    assert listed.body["items"] == [{k: v for k, v in made.body.items() if k != "token"}]
    assert (await robot("GET", "/v1/me")).status == 200
    # It cannot make another, which would outlive it, nor take the account over.
    assert (await robot("POST", "/v1/api-tokens", {"name": "more"})).status == 403
    assert (await robot("POST", "/v1/me/password", {})).status == 403

    path = f"/v1/api-tokens/{made.body['token_id']}"
    assert (await owner("DELETE", path)).status == 204
    assert (await owner("DELETE", path)).status == 404
    assert (await robot("GET", "/v1/me")).status == 401


async def test_an_api_token_of_somebody_else_is_not_there(team: Team) -> None:
    made = await team.owner.api("POST", "/v1/api-tokens", {"name": "CRM"})
    dima = await team.add(Role.OPERATOR)

    refused = await dima.api("DELETE", f"/v1/api-tokens/{made.body['token_id']}")

    assert refused.status == 404
    assert (await dima.api("GET", "/v1/api-tokens")).body["items"] == []


async def test_a_deactivated_member_is_out_at_once(team: Team) -> None:
    dima = await team.add(Role.OPERATOR)
    robot = await dima.api("POST", "/v1/api-tokens", {"name": "CRM"})

    removed = await team.owner.api("DELETE", f"/v1/members/{dima.member_id}")

    assert removed.status == 204
    for token in (dima.api.token, robot.body["token"]):
        assert (await dima.api.with_token(token)("GET", "/v1/me")).status == 401
    body = {"email": dima.email, "password": dima.password}
    assert (await dima.api("POST", "/v1/sign-in", body)).status == 401


async def test_a_password_that_opens_two_workspaces_needs_to_be_told_which(
    suite: Suite, api: Api
) -> None:
    first, second = await new_team(suite, api), await new_team(suite, api)
    email = "both@shop.example"
    for team in (first, second):
        made = await team.owner.api(
            "POST", "/v1/members", {"name": "Both", "email": email, "role": "operator"}
        )
        assert made.status == 201
    hashed = PasswordHasher().hash("the same one")
    await suite.accounts.update_many({"email": email}, {"$set": {"password_hash": hashed}})
    body = {"email": email, "password": "the same one"}

    unclear = await api("POST", "/v1/sign-in", body)
    clear = await api("POST", "/v1/sign-in", body | {"workspace_id": second.workspace_id})

    assert unclear.status == 409
    assert set(unclear.body["workspace_ids"]) == {first.workspace_id, second.workspace_id}
    assert clear.body["workspace"]["workspace_id"] == second.workspace_id


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer nonsense", "Bearer pse_x"])
async def test_without_a_good_token_nobody_is_let_in(api: Api, header: str) -> None:
    answer = await api("GET", "/v1/me", headers={"authorization": header} if header else None)

    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_bad_bodies_are_refused_by_naming_the_field(api: Api) -> None:
    missing = await api("POST", "/v1/sign-in", {"email": "a@b.example"})
    not_json = await api("POST", "/v1/sign-in", b"{")
    large = await api("POST", "/v1/sign-in", b" " * 20_000)

    assert (missing.status, not_json.status, large.status) == (422, 400, 413)
    assert missing.body["errors"] == [{"field": "password", "message": "is missing"}]
