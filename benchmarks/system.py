"""What is measured: the servers, the six services and the Bot API's double, as processes."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.child import Child
from benchmarks.updates import Updates
from benchmarks.usage import Usage, usage
from benchmarks.wire import Connections, WrongAnswer, fetch, request
from libs.devstack.stack import Devstack, Servers
from libs.events.topics import Topic
from libs.runtime.settings import SERVICES, load
from parley.bootstrap import BootstrapSettings, bootstrap_workspace
from parley.client import ApiClient
from parley.doubles.bot_api import SECRET_HEADER
from parley.migrate import migrate_all
from parley.suite import Suite

BOT_TOKEN: Final = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"
WORKSPACE: Final = {
    "name": "Benchmark",
    "owner_name": "Agent",
    "owner_email": "agent@example.com",
    "language": "en",
    "time_zone": "UTC",
}
INBOUND_GROUP: Final = "conversation-inbound"
IDLE_AFTER_S: Final = 0.5
_STALLED_AFTER_S: Final = 30.0
# Asking costs the service some milliseconds; a figure is wrong by this much of its duration.
_POLL_S: Final = 0.2
_PAGE: Final = 200
_SAMPLE = re.compile(r"^(parley_consum\w+)\{(.*)\} (\S+)$", re.MULTILINE)


class Stalled(Exception):
    """The services stopped processing before everything was done."""


@dataclass
class System:
    """A running suite with one workspace, one agent and one Telegram source."""

    stack: Devstack
    suite: Suite
    double: Child
    updates: Updates
    webhook_url: str
    token: str
    say: Callable[[str], None]

    @property
    def servers(self) -> Servers:
        return self.stack.servers

    @property
    def gateway(self) -> str:
        return self.suite.url("gateway")

    def usage(self) -> dict[str, Usage]:
        """Of every process, by name."""
        parts = {**self.suite.processes, **{one.name: one for one in self.stack.processes}}
        pids = {name: part.pid for name, part in parts.items() if part.pid is not None}
        return usage({**pids, "bot_api_double": self.double.pid})

    def api(self, method: str, path: str, body: object = None, token: str | None = None) -> bytes:
        """A request as the agent, or as the member whose token is given."""
        encoded = None if body is None else msgspec.json.encode(body)
        headers = {"authorization": f"Bearer {token or self.token}"}
        return request(method, self.gateway + path, headers, encoded)

    async def hire(self, count: int) -> list[str]:
        """The tokens of so many new operators."""
        tokens = []
        async with ApiClient(self.gateway, self.token) as owner:
            for number in range(count):
                email = f"operator-{number}-{uuid.uuid4().hex[:8]}@example.com"
                member = await owner.post(
                    "/v1/members", name=f"Operator {number}", email=email, role="operator"
                )
                async with ApiClient(self.gateway) as api:
                    chosen = f"one of my own {uuid.uuid4().hex[:8]}"
                    signed_in = await api.sign_in_first(email, member["password"], chosen)
                    tokens.append(signed_in["token"])
        return tokens

    async def newest(self, count: int) -> list[dict[str, Any]]:
        """The first ``count`` conversations of the tab New, page after page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = ""
        async with Connections(self.gateway, 1) as connections:
            while len(items) < count and cursor is not None:
                asking = self.api("GET", f"/v1/conversations?tab=new&limit={_PAGE}{cursor}")
                page = msgspec.json.decode(await connections.each[0].send(asking))
                items += page["items"]
                cursor = f"&cursor={page['next']}" if page.get("next") else None
        if len(items) < count:
            raise WrongAnswer(f"{len(items)} of {count} conversations are in New")
        return items[:count]

    async def samples(self, service: str) -> list[tuple[str, str, float]]:
        """A service's metrics of its consumers: name, labels, value."""
        return await samples(self.suite.operations_url(service))

    async def projected(self) -> int:
        """How many inbound messages are in conversation's read models."""
        return await projected(self.suite.url("conversation"))

    async def until_projected(self, count: int) -> None:
        """Wait for the ``count``-th inbound message. Errors: Stalled."""
        await until("messages in the read model", count, self.projected)

    async def replies_sent(self) -> int:
        """How many the double has taken."""
        return int(json.loads(await asyncio.to_thread(self.double.ask))["sent"])

    async def until_idle(self) -> None:
        """Wait until no service has anything left to consume: a measurement begins in peace."""
        before: list[list[tuple[str, str, float]]] = []
        while True:
            now = [await self.samples(name) for name in SERVICES]
            lag = sum(v for one in now for n, _, v in one if n == "parley_consumer_lag_messages")
            if not lag and now == before:
                return
            before = now
            await asyncio.sleep(IDLE_AFTER_S)


async def samples(url: str) -> list[tuple[str, str, float]]:
    """The metrics of the consumers of the service there: name, labels, value."""
    text = (await fetch(request("GET", f"{url}/metrics"), url)).decode()
    return [(name, labels, float(value)) for name, labels, value in _SAMPLE.findall(text)]


async def projected(url: str) -> int:
    """How many inbound messages the conversation service there has in its read models."""
    labels = (f'group="{INBOUND_GROUP}"', f'topic="{Topic.INBOUND.value}"')
    return int(
        sum(
            value
            for name, given, value in await samples(url)
            if name == "parley_consumed_messages_total" and all(one in given for one in labels)
        )
    )


async def until(what: str, count: int, counted: Callable[[], Awaitable[int]]) -> None:
    """Wait until so many are counted. Errors: Stalled."""
    last, moved_at = -1, time.monotonic()
    while (now := await counted()) < count:
        if now != last:
            last, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > _STALLED_AFTER_S:
            raise Stalled(f"{now} of {count} {what}")
        await asyncio.sleep(_POLL_S)


@contextmanager
def started(
    folder: Path, chats: int, say: Callable[[str], None]
) -> Iterator[tuple[Devstack, Suite, Child]]:
    """Everything running over an empty folder; so many chats are known to the double."""
    with (
        Devstack(folder, say=say) as stack,
        Child("benchmarks.double", BOT_TOKEN, str(chats)) as double,
    ):
        suite = Suite(
            stack.servers,
            folder,
            settings={
                "PARLEY_INGEST_TELEGRAM_API_URL": double.url,
                # What is measured is the suite's limit, not the one that an operator sets.
                "PARLEY_GATEWAY_REQUESTS_PER_SECOND_OF_TOKEN": "1000000",
                "PARLEY_GATEWAY_REQUESTS_PER_SECOND_OF_WORKSPACE": "1000000",
            },
            say=say,
        )
        asyncio.run(migrate_all(suite.settings))
        with suite:
            yield stack, suite, double


async def connected(
    stack: Devstack, suite: Suite, double: Child, say: Callable[[str], None]
) -> System:
    """A workspace, its owner signed in as the agent, and a source whose webhook is registered."""
    gateway = suite.url("gateway")
    owner = await bootstrap_workspace(load(BootstrapSettings, suite.settings), gateway, WORKSPACE)
    async with ApiClient(gateway) as api:
        token = (await api.sign_in(owner.email, owner.password or ""))["token"]
        location = (await api.get("/v1/locations"))["items"][0]
        await api.post(
            "/v1/sources",
            channel="telegram",
            name="Benchmark",
            location_id=location["location_id"],
            credentials={"bot_token": BOT_TOKEN},
        )
    webhook = json.loads(double.ask())["webhook"]
    updates = Updates(webhook["url"], {SECRET_HEADER.lower(): webhook["secret_token"]})
    return System(stack, suite, double, updates, webhook["url"], token, say)
