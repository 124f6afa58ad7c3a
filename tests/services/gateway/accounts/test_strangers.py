"""Who brings nothing that proves who they are, and who brings their own device."""

import secrets
import time
import uuid

import pytest

from libs.events.directory import Role
from libs.runtime import attempts, strangers
from services.gateway.accounts import accounts
from services.gateway.accounts.devices import ACCOUNTS_AT_MOST, COOKIE, Devices
from services.gateway.accounts.sessions import SESSION_PREFIX
from services.gateway.metrics import SESSION_LOOKUPS
from tests.support.gateway.suite import Answer, Api, Suite, Team

pytestmark = pytest.mark.servers

_LONG = 10_000_000
ALLOWED = 3


@pytest.fixture(autouse=True)
def _window(monkeypatch: pytest.MonkeyPatch) -> None:
    """One so long that it does not end within a test."""
    monkeypatch.setattr(attempts, "WINDOW_SECONDS", _LONG)
    monkeypatch.setattr(accounts, "ALLOWED_OF_ACCOUNT", ALLOWED)


def new_address() -> str:
    return f"100.{'.'.join(str(byte) for byte in uuid.uuid4().bytes[:3])}"


def looked_up() -> float:
    return float(SESSION_LOOKUPS.labels("store")._value.get())


async def guess_token(api: Api, address: str, path: str = "/v1/me") -> Answer:
    guessed = api.with_token(SESSION_PREFIX + secrets.token_urlsafe(32))
    return await guessed("GET", path, headers={"X-Forwarded-For": address})


async def test_an_address_that_tries_random_tokens_has_to_wait_on_every_replica(
    suite: Suite, api: Api, team: Team
) -> None:
    address, replica = new_address(), Api(suite.http, suite.replica_url)
    tried = [
        (await guess_token(replica if number % 2 else api, address)).status
        for number in range(strangers.REFUSED_OF_ADDRESS)
    ]
    assert tried == [401] * strangers.REFUSED_OF_ADDRESS

    for one in (api, replica):
        limited = await guess_token(one, address)
        assert limited.status == 429
        wait = int(limited.headers["retry-after"])
        assert (time.time() + wait) // _LONG == time.time() // _LONG + 1

    # Each process knows by now: the next costs neither of them a query.
    before = looked_up()
    assert [(await guess_token(one, address)).status for one in (api, replica)] == [429, 429]
    assert looked_up() == before
    # Nobody else waits, also not those at the address who have a token of ours.
    assert (await guess_token(api, new_address())).status == 401
    here = {"X-Forwarded-For": address}
    assert (await team.owner.api("GET", "/v1/me", headers=here)).status == 200
    assert (await api("GET", "/v1/me", headers=here)).status == 401


async def test_a_token_that_ended_is_asked_of_the_store_once(api: Api, team: Team) -> None:
    signed_out = await api.sign_in(team.owner.email, team.owner.password)
    assert (await signed_out("POST", "/v1/sign-out")).status == 204

    before = looked_up()
    tried = [(await signed_out("GET", "/v1/me")).status for _ in range(3)]

    assert (tried, looked_up() - before) == ([401] * 3, 1)


async def sign_in(
    api: Api, team: Team, password: str | None = None, cookie: str | None = None
) -> Answer:
    """From an address that nobody has been at. No password: a wrong one."""
    body = {"email": team.owner.email, "password": password or "a guess"}
    headers = {"X-Forwarded-For": new_address()}
    if cookie is not None:
        headers["cookie"] = f"{COOKIE}={cookie}"
    return await api("POST", "/v1/sign-in", body, headers=headers)


def cookie_in(answer: Answer) -> tuple[str, set[str]]:
    """Its value, and what it is kept with."""
    whole, *attributes = answer.headers["set-cookie"].split("; ")
    name, _, value = whole.partition("=")
    assert name == COOKIE
    return value, {one.lower() for one in attributes}


async def test_guesses_of_others_do_not_make_the_owners_device_wait(
    suite: Suite, api: Api, team: Team
) -> None:
    password = team.owner.password
    cookie, kept_with = cookie_in(await sign_in(api, team, password))
    assert {"httponly", "samesite=strict", "secure", "path=/v1/sign-in"} <= kept_with
    for _ in range(ALLOWED):
        assert (await sign_in(api, team)).status == 401
    assert (await sign_in(api, team, password)).status == 429

    replica = Api(suite.http, suite.replica_url)
    assert (await sign_in(replica, team, cookie=cookie)).status == 401
    assert (await sign_in(replica, team, password, cookie)).status == 200
    # Its own failures count for itself.
    for _ in range(ALLOWED - 1):
        assert (await sign_in(api, team, cookie=cookie)).status == 401
    limited = await sign_in(api, team, password, cookie)
    assert (limited.status, "set-cookie" in limited.headers) == (429, False)


async def test_a_cookie_of_another_account_or_altered_is_none(api: Api, team: Team) -> None:
    other = await team.add(Role.OPERATOR)
    body = {"email": other.email, "password": other.password}
    others, _ = cookie_in(await api("POST", "/v1/sign-in", body))
    mine, _ = cookie_in(await sign_in(api, team, team.owner.password))
    for _ in range(ALLOWED):
        assert (await sign_in(api, team)).status == 401

    altered = mine[:-4] + ("AAAA" if mine[-4:] != "AAAA" else "BBBB")
    for cookie in (others, altered, "x", "ї", mine * 50):
        assert (await sign_in(api, team, team.owner.password, cookie)).status == 429
    assert (await sign_in(api, team, team.owner.password, mine)).status == 200


def test_a_shared_browser_is_known_for_its_newest_accounts() -> None:
    devices, cookie = Devices(bytes(32), is_https=True), ""
    for number in range(ACCOUNTS_AT_MOST + 1):
        cookie = devices.opened(cookie, f"acc_{number}")

    assert devices.of(cookie, ["acc_0"]) is None
    assert devices.of(cookie, ["acc_1"]) is not None
    assert Devices(bytes([1] * 32), is_https=True).of(cookie, ["acc_1"]) is None
    assert len(cookie) < 2_000
