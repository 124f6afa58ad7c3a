"""Who may ask what of whom: what is not in the table is not answered, and cannot be mounted."""

from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from libs.events.actions import Action
from libs.runtime.problems import install_problem_handlers
from libs.runtime.settings import CALLERS, SERVICES
from libs.runtime.trust import TRUST, NotTrusted, caller_of, guard
from tests.support.trust import tokens_of

SUMMARY = "/v1/metrics/summary"


async def _answer(request: Request) -> Response:
    return PlainTextResponse(caller_of(request).workspace_id)


def _analytics(*routes: tuple[str, str]) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install_problem_handlers(app)
    for method, path in (("GET", SUMMARY), ("GET", "/v1/metrics/performance"), *routes):
        app.add_route(path, _answer, [method])
    return app


@pytest.fixture
def analytics() -> FastAPI:
    app = _analytics()
    guard(app, tokens_of("analytics"))
    return app


async def _ask(app: FastAPI, method: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
    """The status, the content type and the body of the answer."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": SUMMARY,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    media_type = dict(sent[0]["headers"])[b"content-type"].decode()
    return sent[0]["status"], media_type, b"".join(one["body"] for one in sent[1:])


def _bearer(service: str, audience: str = "analytics", **carried: object) -> dict[str, str]:
    given = {"workspace_id": "wsp_1", "member_id": "mbr_1", "actions": ["see_metrics"], **carried}
    return {"authorization": f"Bearer {tokens_of(service).issue(audience, **given)}"}  # type: ignore[arg-type]


async def test_who_may_is_answered(analytics: FastAPI) -> None:
    status, _, body = await _ask(analytics, "GET", _bearer("gateway"))

    assert (status, body) == (200, b"wsp_1")


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic abc"}, {"authorization": "Bearer abc"}],
)
async def test_who_proves_nothing_is_refused(analytics: FastAPI, headers: dict[str, str]) -> None:
    await _is_refused(analytics, headers, 401)


async def test_a_token_for_another_service_is_refused(analytics: FastAPI) -> None:
    await _is_refused(analytics, _bearer("gateway", "ingest"), 401)


@pytest.mark.parametrize(
    ("service", "carried"),
    [
        ("gateway", {"actions": ["read"]}),
        ("gateway", {"actions": []}),
        ("gateway", {"member_id": ""}),
        *((name, {}) for name in CALLERS if name != "gateway"),
    ],
)
async def test_who_may_not_is_refused(
    analytics: FastAPI, service: str, carried: dict[str, object]
) -> None:
    await _is_refused(analytics, _bearer(service, **carried), 403)  # type: ignore[arg-type]


async def _is_refused(analytics: FastAPI, headers: dict[str, str], status: int) -> None:
    for method in ("GET", "HEAD"):
        answered, media_type, _ = await _ask(analytics, method, headers)

        assert (answered, media_type) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "route", [("GET", "/v1/metrics/raw"), ("DELETE", SUMMARY), ("GET", "/v1/metrics/{id}")]
)
def test_a_route_that_the_table_does_not_know_is_not_mounted(route: tuple[str, str]) -> None:
    with pytest.raises(NotTrusted, match="is not in the table"):
        guard(_analytics(route), tokens_of("analytics"))


def test_what_the_table_knows_is_there() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    with pytest.raises(NotTrusted, match="analytics has no GET /v1/metrics"):
        guard(app, tokens_of("analytics"))


def test_the_table_knows_every_service_and_asks_every_one_for_more_than_a_token() -> None:
    assert set(TRUST) == set(SERVICES)
    for service, operations in TRUST.items():
        for operation, asked in operations.items():
            assert asked.caller in CALLERS, (service, operation)
            assert asked.caller != service, (service, operation)
            # On behalf of a member there is an action, but for what members may do to their own.
            if asked.member and asked.action is None:
                assert operation in {
                    "PATCH /v1/me",
                    "GET /v1/notifications",
                    "GET /v1/notifications/{}",
                    "POST /v1/notifications/{}/read",
                }


def test_reading_is_the_only_thing_that_reading_is_enough_for() -> None:
    own = ("saved-filters", "draft", "leave", "/v1/photos", "/internal/v1/")
    for operations in TRUST.values():
        for operation, asked in operations.items():
            if asked.action is Action.READ and not any(one in operation for one in own):
                assert operation.startswith("GET ")
