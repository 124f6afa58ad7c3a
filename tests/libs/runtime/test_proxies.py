"""Whose word is taken for who a client is."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from libs.runtime.http import service_app
from libs.runtime.process import Check, Runtime, ServiceSpec, running
from libs.runtime.proxies import is_in, trusted_networks
from libs.runtime.settings import Settings, SettingsError, load

KEY = bytes(32).hex()
Compose = Callable[[Settings, Runtime], AbstractAsyncContextManager[ASGIApp]]


def composed(told: list[Runtime] | None = None, checks: dict[str, Check] | None = None) -> Compose:
    """A service that says who its client is; ``told`` is given its runtime."""

    async def who(request: Request) -> Response:
        return PlainTextResponse(request.client.host if request.client else "")

    @asynccontextmanager
    async def compose(_settings: Settings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
        if told is not None:
            told.append(runtime)
        for name, check in (checks or {}).items():
            runtime.ready_when(name, check)
        app = service_app(runtime, "a service of the tests")
        app.add_route("/who", who)
        yield app

    return compose


def settings(proxies: str) -> Settings:
    return load(
        Settings,
        {
            "PARLEY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "PARLEY_DEPLOYMENT_KEY": KEY,
            "PARLEY_TRUSTED_PROXIES": proxies,
        },
    )


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0/0", "::/0", "0.0.0.0/1,128.0.0.0/1", "10.0.0.0/8,::/0", "64.0.0.0/2"),
        *("::ffff:0:0/96", "::/1", "2000::/3", "64:ff9b::/96", "::ffff:0.0.0.0/97", "2002::/16"),
        *("*", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "127.0.0.1:80", "10.0.0.0-10.0.0.9"),
    ],
)
def test_nobody_trusts_everybody(text: str) -> None:
    with pytest.raises(SettingsError, match="PARLEY_TRUSTED_PROXIES is wrong"):
        settings(text)


def test_proxies_are_addresses_and_networks() -> None:
    networks = trusted_networks(" 10.0.0.0/8, 203.0.113.7,fd00::/8 ,::ffff:192.0.2.0/120,")
    for address in ("10.1.2.3", "203.0.113.7", "fd12::1", "192.0.2.9", "::ffff:10.1.2.3"):
        assert is_in(address, networks)
    for address in ("11.0.0.1", "203.0.113.8", "fe80::1%eth0", "", "10.1.2", "::ffff:11.0.0.1"):
        assert not is_in(address, networks)
    assert trusted_networks("") == ()


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        ("", ["203.0.113.5"], "127.0.0.1"),
        ("192.0.2.1", ["203.0.113.5"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.5"], "203.0.113.5"),
        ("127.0.0.1,10.0.0.0/8", ["198.51.100.1, 203.0.113.5, 10.1.1.1"], "203.0.113.5"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.5"], "203.0.113.5"),
        ("127.0.0.1", ["2001:db8::5"], "2001:db8::5"),
        ("127.0.0.1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("127.0.0.0/8", [], "127.0.0.1"),
    ],
)
async def test_a_client_is_the_last_that_is_no_proxy(
    trusted: str, forwarded: list[str], client: str
) -> None:
    spec = ServiceSpec("public", Settings, composed(), public=True)
    headers = [("X-Forwarded-For", one) for one in forwarded]
    headers.append(("Forwarded", "for=198.51.100.99"))
    async with (
        running(spec, settings(trusted)) as (url, _),
        aiohttp.ClientSession(url) as session,
        session.get("/who", headers=headers) as answer,
    ):
        assert await answer.text() == client


async def test_a_public_port_tells_nothing_of_the_inside() -> None:
    told: list[Runtime] = []

    async def broken() -> None:
        raise ConnectionError("mongodb://10.0.0.5 does not answer")

    compose = composed(told, {"mongodb": broken})
    spec = ServiceSpec("public", Settings, compose, public=True)
    async with running(spec, settings("")) as (url, _), aiohttp.ClientSession() as session:
        operations = f"http://127.0.0.1:{told[0].operations_port}"
        async with session.get(f"{url}/readyz") as answer:
            assert (answer.status, await answer.json()) == (503, {"ready": False})
        async with session.get(f"{url}/metrics") as answer:
            assert answer.status == 404
        # Whatever a client says of where it is.
        forged = {"host": operations.removeprefix("http://"), "x-forwarded-for": "127.0.0.1"}
        async with session.get(f"{url}/metrics", headers=forged) as answer:
            assert answer.status == 404
        async with session.get(f"{url}/healthz") as answer:
            assert await answer.text() == "ok"

        async with session.get(f"{operations}/readyz") as answer:
            assert "10.0.0.5" in (await answer.json())["checks"]["mongodb"]
        async with session.get(f"{operations}/metrics") as answer:
            assert "parley_connections_refused_total" in await answer.text()


async def test_who_may_reach_a_service_inside_is_its_operator() -> None:
    told: list[Runtime] = []
    spec = ServiceSpec("inside", Settings, composed(told))
    async with running(spec, settings("")) as (url, _), aiohttp.ClientSession() as session:
        assert told[0].operations_port is None
        async with session.get(f"{url}/metrics") as answer:
            assert answer.status == 200
