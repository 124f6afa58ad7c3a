"""``python -m benchmarks.siege``: what one stranger costs gateway and ingest before they sign in.

Against the whole suite on this machine, from one address: a gigabyte of headers, a million pings
whose pongs nobody reads, 2,000 connections that say nothing, sockets that never read. Prints how
much each process grew, and fails where that is more than ``GROWTH_MB`` or others are not served.
"""

import asyncio
import itertools
import logging
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from libs.devstack.stack import Devstack
from parley.migrate import migrate_all
from parley.suite import PUBLIC, Suite

GROWTH_MB: Final = 30
_MEGABYTE: Final = 1_000_000
_GIGABYTE: Final = 1_000 * _MEGABYTE
_PINGS: Final = 1_000_000
_SILENT: Final = 2_000
_NEVER_READING: Final = 50
_PING: Final = b"\x89\x80\x00\x00\x00\x00"
_PATHS: Final = {"gateway": "/v1/live", "ingest": "/widget/src_none/live"}

Siege = Callable[[int, str], Coroutine[None, None, str]]


def main() -> None:
    began = time.monotonic()
    # It warns of each write to a connection that was ended, which is what this is about.
    logging.getLogger("asyncio").setLevel(logging.ERROR)

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    with (
        tempfile.TemporaryDirectory(prefix="parley-siege-") as folder,
        Devstack(Path(folder), say=say) as stack,
    ):
        suite = Suite(stack.servers, Path(folder), say=say)
        asyncio.run(migrate_all(suite.settings))
        with suite:
            worst = max([asyncio.run(_besieged(suite, name, say)) for name in PUBLIC])
    if worst > GROWTH_MB:
        sys.exit(f"a process grew by {worst:.1f} MB, more than {GROWTH_MB}")


async def _besieged(suite: Suite, name: str, say: Callable[[str], None]) -> float:
    pid = suite.processes[name].pid
    if pid is None:
        raise RuntimeError(f"{name} does not run")
    process = psutil.Process(pid)
    port, path = suite.ports[name], _PATHS[name]
    for _ in range(50):
        _is_served(suite.url(name))
    worst = 0.0
    sieges: tuple[tuple[str, Siege], ...] = (
        ("a gigabyte of headers", _headers),
        ("a million pings", _pings),
        ("connections that say nothing", _silent),
        ("sockets that never read", _never_reading),
    )
    for what, siege in sieges:
        before = process.memory_info().rss
        peak, done = before, asyncio.create_task(siege(port, path))
        while not done.done():
            await asyncio.sleep(0.1)
            peak = max(peak, process.memory_info().rss)
        grew = (peak - before) / _MEGABYTE
        worst = max(worst, grew)
        say(f"{name}: {what}: {done.result()}; grew by {grew:.1f} MB")
    return worst


def _is_served(url: str) -> None:
    with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310  # our own
        if answer.status != 200:
            raise RuntimeError(f"{url} answers {answer.status}")


async def _others(port: int) -> None:
    """Somebody at another address is served."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(5):
        if not (await reader.readline()).startswith(b"HTTP/1.1 200 "):
            raise RuntimeError("somebody else is not served")
    writer.close()


async def _headers(port: int, _path: str) -> str:
    """One connection after the other, until so much was sent."""
    sent = connections = 0
    field = b"X: " + b"x" * 100_000 + b"\r\n"
    while sent < _GIGABYTE:
        connections += 1
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
            for _ in range(10_000):
                writer.write(field)
                await writer.drain()
                sent += len(field)
        writer.transport.abort()
        if connections % 100 == 0:
            await _others(port)
    return f"{sent // _MEGABYTE} MB on {connections} connections, each refused"


async def _socket(port: int, path: str) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return writer


async def _pings(port: int, path: str) -> str:
    sent = connections = 0
    while sent < _PINGS:
        connections += 1
        writer = await _socket(port, path)
        await asyncio.sleep(0.02)
        with suppress(ConnectionError):
            for _ in range(100):
                writer.write(_PING * 10_000)
                await writer.drain()
                sent += 10_000
        writer.transport.abort()
    await _others(port)
    return f"{sent} pings on {connections} sockets, each ended"


async def _silent(port: int, _path: str) -> str:
    there = [await asyncio.open_connection("127.0.0.1", port) for _ in range(_SILENT)]
    ends = [asyncio.create_task(_ended(reader)) for reader, _ in there]
    await asyncio.sleep(2)
    refused = sum(end.done() for end in ends)
    await _others(port)
    async with asyncio.timeout(60):
        await asyncio.gather(*ends)
    for _, writer in there:
        writer.transport.abort()
    return f"{refused} of {_SILENT} refused at once, the others closed"


async def _ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()


async def _never_reading(port: int, path: str) -> str:
    writers = [await _socket(port, path) for _ in range(_NEVER_READING)]
    for writer, _ in itertools.product(writers, range(90)):
        with suppress(ConnectionError):
            writer.write(_PING)
    await asyncio.sleep(3)
    await _others(port)
    for writer in writers:
        writer.transport.abort()
    return f"{_NEVER_READING} sockets"


if __name__ == "__main__":
    main()
