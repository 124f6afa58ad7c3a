"""How a service lives: it is ready when its checks are, and ends when a part of it fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from libs.runtime.http import service_app
from libs.runtime.problems import Conflict
from libs.runtime.process import Check, Runtime, ServiceSpec, Task, running, serve
from libs.runtime.settings import Settings, load
from tests.support.trust import SERVICE_KEYS

KEY = bytes(32).hex()
SETTINGS = load(
    Settings,
    {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PARLEY_DEPLOYMENT_KEY": KEY,
        **SERVICE_KEYS,
    },
)


def service(
    tasks: dict[str, Task] | None = None,
    checks: dict[str, Check] | None = None,
    closed: list[str] | None = None,
) -> ServiceSpec[Settings]:
    @asynccontextmanager
    async def compose(_settings: Settings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
        async def close(name: str) -> None:
            if closed is not None:
                closed.append(name)

        runtime.closing(lambda: close("first"))
        runtime.closing(lambda: close("second"))
        for name, task in (tasks or {}).items():
            runtime.run(name, task)
        for name, check in (checks or {}).items():
            runtime.ready_when(name, check)
        app = service_app(runtime, "a service of the tests")

        @app.get("/things/{thing_id}")
        async def thing(thing_id: str) -> Any:
            if thing_id == "taken":
                raise Conflict("somebody has it", winner="mbr_1")
            if thing_id == "broken":
                raise ZeroDivisionError("a secret text")
            return PlainTextResponse(thing_id)

        @app.get("/numbers")
        async def numbers(number: int) -> int:
            return number

        yield app

    return ServiceSpec("conversation", Settings, compose)


async def until_stop(stop: asyncio.Event) -> None:
    await stop.wait()


async def test_a_task_that_fails_ends_the_service() -> None:
    closed: list[str] = []
    stopped: list[bool] = []

    async def fail(_stop: asyncio.Event) -> None:
        await asyncio.sleep(0.05)
        raise ZeroDivisionError

    async def bystander(stop: asyncio.Event) -> None:
        await stop.wait()
        stopped.append(True)

    spec = service({"fails": fail, "bystander": bystander}, closed=closed)

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(serve(spec, SETTINGS, 0, asyncio.Event()), 10)

    assert stopped == [True]
    assert closed == ["second", "first"]


async def test_a_task_that_ends_by_itself_ends_the_service() -> None:
    async def end(_stop: asyncio.Event) -> None:
        return

    with pytest.raises(RuntimeError, match="short ended by itself"):
        await asyncio.wait_for(serve(service({"short": end}), SETTINGS, 0, asyncio.Event()), 10)


async def test_a_cancellation_that_leaks_out_of_a_task_ends_the_process() -> None:
    async def leak(_stop: asyncio.Event) -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="leaky was cancelled"):
        await asyncio.wait_for(serve(service({"leaky": leak}), SETTINGS, 0, asyncio.Event()), 10)


async def test_it_stops_when_told() -> None:
    closed: list[str] = []
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve(service({"waits": until_stop}, closed=closed), SETTINGS, 0, stop)
    )
    await asyncio.sleep(0.1)

    stop.set()
    await asyncio.wait_for(serving, 10)

    assert closed == ["second", "first"]


async def test_it_is_ready_when_everything_it_needs_answers() -> None:
    answers = False

    async def server() -> None:
        if not answers:
            raise ConnectionError("nobody listens")

    async def other() -> None:
        return

    spec = service(checks={"server": server, "other": other})
    async with running(spec, SETTINGS) as (url, _), aiohttp.ClientSession(url) as session:
        async with session.get("/readyz") as answer:
            before = (answer.status, await answer.json())
        answers = True
        async with session.get("/readyz") as answer:
            after = (answer.status, await answer.json())
        async with session.get("/healthz") as answer:
            assert answer.status == 200

    assert before == (
        503,
        {"ready": False, "checks": {"server": "ConnectionError: nobody listens", "other": "ok"}},
    )
    assert after == (200, {"ready": True, "checks": {"server": "ok", "other": "ok"}})


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/things/taken", 409, "conflict"),
        ("/things/broken", 500, "internal"),
        ("/nowhere", 404, "not-found"),
        ("/numbers?number=x", 422, "invalid"),
    ],
)
async def test_every_error_is_a_problem(path: str, status: int, kind: str) -> None:
    async with (
        running(service(), SETTINGS) as (url, _),
        aiohttp.ClientSession(url) as session,
        session.get(path) as answer,
    ):
        text = await answer.text()

    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    problem = json.loads(text)
    assert problem["type"] == f"urn:parley:problem:{kind}"
    assert problem["status"] == status
    assert "secret" not in text
    if kind == "conflict":
        assert (problem["detail"], problem["winner"]) == ("somebody has it", "mbr_1")
    if kind == "invalid":
        assert problem["errors"][0]["field"] == "query.number"


async def test_the_method_is_named_in_its_problem() -> None:
    async with (
        running(service(), SETTINGS) as (url, _),
        aiohttp.ClientSession(url) as session,
        session.post("/things/a") as answer,
    ):
        assert answer.status == 405
        assert (await answer.json(content_type=None))["type"].endswith("method-not-allowed")


async def test_a_slash_too_many_leads_nowhere() -> None:
    async with (
        running(service(), SETTINGS) as (url, _),
        aiohttp.ClientSession(url) as session,
        session.get(
            "/things/a/", headers={"host": "evil.example"}, allow_redirects=False
        ) as answer,
    ):
        assert (answer.status, answer.headers.get("location")) == (404, None)


async def test_requests_are_counted_by_route_and_not_by_path() -> None:
    async with running(service(), SETTINGS) as (url, _), aiohttp.ClientSession(url) as session:
        for path in ("/things/one", "/things/two", "/readyz", "/no/such/path"):
            async with session.get(path):
                pass
        async with session.get("/metrics") as answer:
            text = await answer.text()

    assert 'route="/things/{thing_id}"' in text
    assert 'route="/readyz"' in text
    assert 'route="unmatched"' in text
    assert "/things/one" not in text
