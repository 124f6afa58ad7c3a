"""What one client may cost: all through real sockets, against the server that every process has."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from libs.runtime.server import Guard, Limits
from tests.support.eventually import eventually

MEGABYTE = 1_000_000
QUICK = Limits(
    head_seconds=0.3,
    body_seconds=0.3,
    stalled_seconds=0.5,
    closing_seconds=0.3,
    look_seconds=0.05,
)
UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING = b"\x89\x80\x00\x00\x00\x00"
EMPTY_FRAGMENT = b"\x00\x80\x00\x00\x00\x00"
FIRST_FRAGMENT = b"\x01\x80\x00\x00\x00\x00"


@dataclass
class Served:
    port: int
    open_requests: set[str]

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def answer_to(self, sent: bytes) -> bytes:
        """All that the server says until it closes; empty where it resets."""
        reader, writer = await self.raw()
        writer.write(sent)
        try:
            async with asyncio.timeout(20):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def is_there(self) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}/") as answer,
        ):
            assert (answer.status, await answer.text()) == (200, "ok")


@asynccontextmanager
async def served(limits: Limits, proxy: str | None = None) -> AsyncIterator[Served]:
    open_requests: set[str] = set()

    async def hello(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def upload(request: Request) -> Response:
        open_requests.add("upload")
        try:
            return PlainTextResponse(str(len(await request.body())))
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            open_requests.discard("upload")

    async def much(_request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            open_requests.add("much")
            try:
                for _ in range(10_000):
                    yield bytes(100_000)
            finally:
                open_requests.discard("much")

        return StreamingResponse(chunks())

    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        open_requests.add("socket")
        try:
            if websocket.query_params.get("much"):
                while True:
                    await websocket.send_text("x" * 10_000)
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            open_requests.discard("socket")

    app = Starlette(
        routes=[
            Route("/", hello, methods=["GET", "POST"]),
            Route("/upload", upload, methods=["POST"]),
            Route("/much", much),
            WebSocketRoute("/socket", live),
        ]
    )
    guard = Guard(limits, lambda address: address == proxy)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    listener.setblocking(False)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=guard.http,  # type: ignore[arg-type]
            ws=guard.websocket,  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
            access_log=False,
            ws_max_size=65_536,
            timeout_graceful_shutdown=2,
        )
    )
    watching = asyncio.create_task(guard.watch())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield Served(listener.getsockname()[1], open_requests)
    finally:
        server.should_exit = True
        await serving
        watching.cancel()


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served(QUICK) as running:
        yield running


def head(*fields: bytes, path: bytes = b"/") -> bytes:
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: a", *fields, b"", b""])


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(head(b"X: " + b"x" * 200_000), id="one long field"),
        pytest.param(head(*[b"X-%d: x" % n for n in range(101)]), id="many fields"),
        pytest.param(head(*[b"X-%d: " % n + b"x" * 999 for n in range(40)]), id="large in all"),
        pytest.param(head(path=b"/?" + b"x" * 60_000), id="a long address"),
        pytest.param(head(b"x" * 300_000 + b": x"), id="a long name"),
        pytest.param(head(b"X: " + b"x" * 400_000)[:-2], id="a field without an end"),
        pytest.param(UPGRADE[:-2] + b"X: " + b"x" * 9_000 + b"\r\n\r\n", id="of a socket"),
    ],
)
async def test_a_head_has_its_limit(server: Served, sent: bytes) -> None:
    answer = await server.answer_to(sent)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in answer
    assert b'"urn:parley:problem:head-too-large"' in answer
    await server.is_there()


async def test_a_head_within_its_limit_is_answered(server: Served) -> None:
    fields = [b"X-%d: " % n + b"x" * 400 for n in range(70)]
    answer = await server.answer_to(head(*fields, b"Connection: close"))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_trailers_have_the_limit_too(server: Served) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    for trailers in (b"X: x\r\n" * 20_000, b"X: " + b"x" * 5 * MEGABYTE):
        await server.answer_to(chunked + b"1\r\nx\r\n0\r\n" + trailers)
        await server.is_there()


async def test_what_is_no_request_is_a_problem(server: Served) -> None:
    answer = await server.answer_to(b"\x16\x03\x01 is no HTTP\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"urn:parley:problem:bad-request"' in answer


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost:", b"HTTP/1.1 408 ", id="half a head"),
        pytest.param(head() + b"GET / HT", b"HTTP/1.1 200 ", id="half of the next"),
        pytest.param(
            b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf",
            b"HTTP/1.1 408 ",
            id="half a body",
        ),
    ],
)
async def test_what_does_not_come_is_not_waited_for(
    server: Served, sent: bytes, answer: bytes
) -> None:
    told = await server.answer_to(sent)

    assert told.startswith(answer) if answer else told == b""
    assert not server.open_requests


async def test_drops_do_not_keep_a_connection_open(server: Served) -> None:
    """One byte now and then is no progress."""
    reader, writer = await server.raw()
    writer.write(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    answering = asyncio.create_task(reader.read())
    async with asyncio.timeout(20):
        with suppress(ConnectionError):
            while not answering.done():
                writer.write(b"x")
                await asyncio.sleep(0.05)
            assert (await answering).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_body_that_comes_slowly_but_comes_is_taken() -> None:
    async with served(
        Limits(body_seconds=0.2, body_bytes_per_second=1_000, look_seconds=0.02)
    ) as s:
        reader, writer = await s.raw()
        writer.write(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
        for _ in range(20):
            writer.write(b"x" * 1_000)
            await asyncio.sleep(0.03)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_who_takes_nothing_of_an_answer_is_let_go(server: Served) -> None:
    _, writer = await server.raw()
    writer.write(head(path=b"/much"))
    await eventually(lambda: "much" in server.open_requests)
    await eventually(lambda: "much" not in server.open_requests)
    writer.transport.abort()


async def test_who_takes_nothing_of_a_socket_is_let_go(server: Served) -> None:
    _, writer = await server.raw()
    writer.write(UPGRADE.replace(b"/socket", b"/socket?much=1"))
    await eventually(lambda: "socket" in server.open_requests)
    await eventually(lambda: "socket" not in server.open_requests)
    writer.transport.abort()


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(PING, id="pings"),
        pytest.param(b"\x8a\x80\x00\x00\x00\x00", id="pongs"),
        pytest.param(b"\x81\x81\x00\x00\x00\x00x", id="messages"),
        pytest.param(EMPTY_FRAGMENT, id="fragments of nothing"),
    ],
)
async def test_a_socket_has_a_rate_of_frames(server: Served, flood: bytes) -> None:
    _, writer = await server.raw()
    writer.write(UPGRADE)
    await eventually(lambda: "socket" in server.open_requests)
    first = FIRST_FRAGMENT if flood is EMPTY_FRAGMENT else b""
    before = _peak_bytes()

    with suppress(ConnectionError):
        writer.write(first + flood * 50_000)
        for _ in range(20):
            writer.write(flood * 50_000)
            await writer.drain()

    await eventually(lambda: "socket" not in server.open_requests)
    await server.is_there()
    # This process is the client too, and what it has not sent is of the same memory.
    assert _peak_bytes() - before < 60 * MEGABYTE
    writer.transport.abort()


async def test_who_sends_too_many_frames_is_told(server: Served) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/socket"
        async with session.ws_connect(url, autoclose=False) as socket_:
            for _ in range(101):
                await socket_.send_str("x")
            message = await socket_.receive(timeout=20)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)


async def test_a_gigabyte_of_headers_is_not_read(server: Served) -> None:
    reader, writer = await server.raw()
    before, sent = _peak_bytes(), 0
    with suppress(ConnectionError):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
        while sent < 1_000 * MEGABYTE:
            writer.write(b"X: " + b"x" * 65_000 + b"\r\n")
            await writer.drain()
            sent += 65_000
        await reader.read()
    assert sent < 20 * MEGABYTE
    assert _peak_bytes() - before < 30 * MEGABYTE
    await server.is_there()


async def test_requests_in_a_row_are_bounded(server: Served) -> None:
    """The first is worked on, and each of the others would wait in memory."""
    upload = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
    assert await server.answer_to(upload + b"x" + head() * 14_000) == b""
    await server.is_there()


async def test_an_address_has_so_many_connections() -> None:
    async with served(Limits(connections=20)) as server:
        there = [await server.raw() for _ in range(50)]
        ends = [asyncio.create_task(_ended(reader)) for reader, _ in there]
        await eventually(lambda: sum(end.done() for end in ends) == 30)
        assert await _answer_from("127.0.0.2", server.port) == b"HTTP/1.1 200 OK\r\n"
        for _, writer in there:
            writer.close()
        await eventually(lambda: all(end.done() for end in ends))
        await server.is_there()


async def test_a_trusted_proxy_has_as_many_as_it_needs() -> None:
    async with served(Limits(connections=1), proxy="127.0.0.1") as server:
        there = [await server.raw() for _ in range(10)]
        for reader, writer in there:
            writer.write(head())
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            writer.close()


async def _ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()


async def _answer_from(address: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(head())
    line = await reader.readline()
    writer.close()
    return line


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
