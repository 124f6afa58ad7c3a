"""Routing is killed in the middle of a write: nobody else's writes wait for what it left behind."""

import asyncio
import contextlib
import http.client
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

import aiohttp
import pytest

from libs.devstack.ports import free_port
from libs.devstack.processes import ManagedProcess
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_all
from libs.runtime.mongo import mongo_client
from parley.keys import own_settings
from services.routing.commands.directory import COMMITS
from tests.support.routing.service import Client, Routing, routing_on
from tests.support.trust import tokens_of

pytestmark = [pytest.mark.crash, pytest.mark.servers, pytest.mark.timeout(300)]

type Where = Literal["before", "after"]

READY_WITHIN_S: Final = 60.0
# MongoDB holds what a dead client's transaction has locked for a minute
# (transactionLifetimeLimitSeconds). A write alone takes some tens of milliseconds.
NOT_WAITING_S: Final = 20.0


class HeldWrite:
    """Stands between routing and MongoDB. The next insert of a commit is held: ``before`` it
    reaches the server, or ``after``, so that its answer does not come back. Then ``holding`` is
    set."""

    def __init__(self, server: tuple[str, int], where: Where) -> None:
        self._server = server
        self._where = where
        self._armed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.holding = asyncio.Event()
        self.port = 0

    def hold_next(self) -> None:
        self._armed = True

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            listening.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._server)
        held = asyncio.Event()
        for passing in (self._ask(reader, back, held), self._answer(there, writer, held)):
            self._tasks.add(asyncio.create_task(passing))

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 20):
                if self._armed and b"insert\0" in chunk and COMMITS.encode() in chunk:
                    self._armed = False
                    held.set()
                    if self._where == "before":
                        self.holding.set()
                        continue
                writer.write(chunk)
        writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 20):
                if held.is_set():
                    self.holding.set()
                    continue
                writer.write(chunk)
        writer.close()


@pytest.fixture
async def routing(
    kafka_bootstrap: str, kafka_namespace: str, mongodb_url: str, mongodb_name: str
) -> Routing:
    return await routing_on(kafka_bootstrap, kafka_namespace, mongodb_url, mongodb_name)


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_write_that_was_killed_keeps_no_other_workspace_waiting(
    routing: Routing, mongodb_url: str, mongodb_name: str, tmp_path: Path, where: Where
) -> None:
    async with routing.running() as lives, routing.running() as hit:
        await hit.open_workspace()
        await lives.open_workspace()
        held = HeldWrite(_address(mongodb_url), where)
        async with (
            held.open(),
            _process(routing, f"mongodb://127.0.0.1:{held.port}/?directConnection=true", tmp_path)
            as (process, doomed),
        ):  # fmt: skip
            doomed.workspace_id, doomed.member_id = hit.workspace_id, hit.member_id
            await doomed.done("POST", "/v1/groups", {"name": "Before"})
            held.hold_next()
            asked = asyncio.create_task(doomed.call("POST", "/v1/groups", {"name": "Killed"}))
            await asyncio.wait_for(held.holding.wait(), NOT_WAITING_S)
            await asyncio.to_thread(process.kill)
            with pytest.raises(aiohttp.ClientError):
                await asked

            async with asyncio.timeout(NOT_WAITING_S):
                await lives.done("POST", "/v1/groups", {"name": "Of another workspace"})
                await lives.open_workspace()
                await hit.done("POST", "/v1/groups", {"name": "After"})

    async with mongo_client(mongodb_url, "tests") as mongo:
        store = AsyncEventStore(mongo[mongodb_name][COMMITS])
        commits = (await store.load({hit.workspace_id: 0}))[hit.workspace_id]
        pending = await store.count_pending()
        found = (await verify_all(store)).findings
    # What the server took was decided, and is published; what it never got was not.
    taken = ["Before", "Killed", "After"] if where == "after" else ["Before", "After"]
    assert [json.loads(m.data)["name"] for c in commits[1:] for m in c.public] == taken
    assert (pending, found) == (0, [])


@asynccontextmanager
async def _process(
    routing: Routing, mongodb_url: str, folder: Path
) -> AsyncIterator[tuple[ManagedProcess, Client]]:
    """A replica in a process of its own."""
    port = free_port()
    settings = routing.environment | {
        "PARLEY_MONGODB_URL": mongodb_url,
        "PARLEY_ROUTING_PORT": str(port),
    }
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}

    def ready() -> bool:
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            asking.request("GET", "/readyz")
            return asking.getresponse().status == 200
        finally:
            asking.close()

    process = ManagedProcess(
        "routing",
        [sys.executable, "-m", "parley", "serve", "routing"],
        log_path=folder / "routing.log",
        ready=ready,
        environment=outside | own_settings("routing", settings),
    )
    process.start()
    try:
        await asyncio.to_thread(process.wait_ready, READY_WITHIN_S)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield process, Client(session, tokens_of("gateway"))
    finally:
        await asyncio.to_thread(process.kill)


def _address(mongodb_url: str) -> tuple[str, int]:
    host, _, port = mongodb_url.removeprefix("mongodb://").split("/")[0].rpartition(":")
    return host, int(port)
