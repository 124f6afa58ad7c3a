"""The webhooks' own small application, asked as a server asks it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import REGISTRY
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from libs.events.content import Channel
from libs.runtime.problems import Conflict
from services.ingest.ports.webhooks import Delivery
from services.ingest.webhooks.router import Hooks

ROUTE = "/hooks/telegram/{source_id}"


async def echo(delivery: Delivery) -> Response:
    body = await delivery.body(10)
    return PlainTextResponse(f"{delivery.source_id} {body.decode()}")


Answer = Callable[[Delivery], Awaitable[Response]]


class Only:
    """A hook of which ``answer`` is the answer to a POST, and ``shaken`` that to a GET."""

    def __init__(self, answer: Answer, shaken: str | None = None) -> None:
        self._answer = answer
        self._shaken = shaken

    async def deliver(self, delivery: Delivery) -> Response:
        return await self._answer(delivery)

    async def handshake(self, delivery: Delivery) -> Response | None:
        if self._shaken is None:
            return None
        return PlainTextResponse(f"{self._shaken} {delivery.query.decode()}")


async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("elsewhere")(scope, receive, send)


async def ask(
    hook: Answer,
    *received: Message,
    method: str = "POST",
    path: str = "/hooks/telegram/src_1",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    shaken: str | None = None,
) -> tuple[int, str, dict[str, str]]:
    waiting, sent = list(received), list[Message]()

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": method, "path": path, "headers": headers}
    scope["query_string"] = b"challenge=42"
    await Hooks(elsewhere, {Channel.TELEGRAM: Only(hook, shaken)})(scope, receive, send)
    start, body = sent
    names = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], body["body"].decode(), names


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def answered(status: int) -> float:
    labels = {"method": "POST", "route": ROUTE, "status": str(status)}
    return REGISTRY.get_sample_value("parley_http_requests_total", labels) or 0.0


def is_problem(answer: tuple[int, str, dict[str, str]], status: int) -> bool:
    problem: dict[str, Any] = json.loads(answer[1])
    content_type = answer[2]["content-type"]
    return answer[0] == problem["status"] == status and content_type == "application/problem+json"


async def test_a_delivery_is_answered_and_counted_by_the_routes_template() -> None:
    before = answered(200)
    status, body, _ = await ask(echo, part(b"ab", more=True), part(b"cd"))
    assert (status, body) == (200, "src_1 abcd")
    assert answered(200) == before + 1


async def test_everything_else_goes_on() -> None:
    for path in ("/", "/hooks", "/hooks/telegram", "/hooks/telegram/", "/hooks/telegram/a/b"):
        assert (await ask(echo, path=path))[1] == "elsewhere"
    assert (await ask(echo, path="/hooks/widget/src_1"))[1] == "elsewhere"


async def test_only_post_is_allowed() -> None:
    answer = await ask(echo, method="GET")
    assert is_problem(answer, 405)
    assert answer[2]["allow"] == "POST"


async def test_a_body_over_the_limit_is_refused_as_soon_as_it_is_known() -> None:
    assert is_problem(await ask(echo, headers=((b"content-length", b"11"),)), 413)
    # Nothing would come after the second part.
    assert is_problem(await ask(echo, part(b"x" * 8, more=True), part(b"x" * 3, more=True)), 413)


async def test_a_body_that_breaks_off() -> None:
    assert is_problem(await ask(echo, part(b"ab", more=True), {"type": "http.disconnect"}), 400)


async def test_a_problem_is_answered_as_one_and_a_bug_is_logged() -> None:
    async def refuse(_delivery: Delivery) -> Response:
        raise Conflict("not now")

    async def fail(_delivery: Delivery) -> Response:
        raise ZeroDivisionError("of what a customer wrote")

    assert is_problem(await ask(refuse), 409)
    before = answered(500)
    with capture_logs() as logs:
        answer = await ask(fail)
    assert is_problem(answer, 500)
    assert "customer" not in answer[1]
    assert answered(500) == before + 1
    assert [one["event"] for one in logs] == ["request failed"]


async def test_a_platform_asks_whose_the_address_is() -> None:
    status, body, _ = await ask(echo, method="GET", shaken="it is ours:")
    assert (status, body) == (200, "it is ours: challenge=42")

    status, _, headers = await ask(echo, method="GET")
    assert (status, headers["allow"]) == (405, "POST")
