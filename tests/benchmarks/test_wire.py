import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from benchmarks.updates import Updates
from benchmarks.wire import Connections, WrongAnswer, fetch, request


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server that tells what it was sent; it refuses at /no and breaks off at /cut."""

    async def tell(asked: web.Request) -> web.Response:
        text = await asked.text()
        told = {"method": asked.method, "query": dict(asked.query), "body": text}
        return web.json_response({**told, "secret": asked.headers.get("x-secret")})

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=409, text="taken by Olena")

    async def cut(asked: web.Request) -> web.Response:
        assert asked.transport is not None
        asked.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/tell", tell)
    app.router.add_route("*", "/no", refuse)
    app.router.add_route("*", "/cut", cut)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_requests_follow_each_other_on_one_connection(url: str) -> None:
    async with Connections(url, 1) as connections:
        first = await connections.each[0].send(
            request("POST", f"{url}/tell?a=1", {"x-secret": "s"}, b'{"b": "\xc3\xa9"}')
        )
        second = await connections.each[0].send(request("GET", f"{url}/tell"))
    told = {"method": "POST", "query": {"a": "1"}, "body": '{"b": "é"}', "secret": "s"}
    assert json.loads(first) == told
    assert json.loads(second)["method"] == "GET"


async def test_an_answer_that_is_no_success_says_what_was_answered(url: str) -> None:
    with pytest.raises(WrongAnswer, match=r"POST /no HTTP/1.1: 409: taken by Olena"):
        await fetch(request("POST", f"{url}/no"), url)


async def test_a_connection_cut_before_the_answer_is_no_success(url: str) -> None:
    with pytest.raises(WrongAnswer, match="closed before the answer"):
        await fetch(request("GET", f"{url}/cut"), url)


async def test_every_update_is_distinct_and_chats_take_turns() -> None:
    updates = Updates("http://127.0.0.1:1/hooks/telegram/src", {"x-secret": "s"})
    sent = list(updates.over(range(5, 7), 4))
    bodies = [json.loads(one.partition(b"\r\n\r\n")[2]) for one in sent]
    assert len({body["update_id"] for body in bodies}) == 4
    assert len({body["message"]["message_id"] for body in bodies}) == 4
    chats = [body["message"]["chat"]["id"] for body in bodies]
    assert chats[0] == chats[2] != chats[1] == chats[3]
    assert all(b"\r\nx-secret: s\r\n" in one for one in sent)
