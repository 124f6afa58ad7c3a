"""The conversation service alone on the local servers, and what stands around it in messages: a
workspace's directory, and what ingest writes for its webhooks."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched, count
from pathlib import Path
from typing import Final

import msgspec
import psutil

from benchmarks.system import projected, until
from benchmarks.usage import Usage, usage
from benchmarks.wire import request
from libs.devstack.stack import Devstack, Servers
from libs.events.actions import Action
from libs.events.content import Channel, Content, Sender
from libs.events.directory import LocationState, MemberState, Role, SourceState, WorkspaceState
from libs.events.envelope import Envelope
from libs.events.ids import IdKey, random_id
from libs.events.inbound import InboundReceived
from libs.events.registry import Body
from libs.runtime.broker import publishing
from libs.runtime.kafka import Outgoing, Publisher, outgoing
from libs.runtime.settings import SealedStoreSettings, key_bytes, load
from libs.runtime.tokens import ServiceTokens
from parley.migrate import migrate_all
from parley.suite import READY_TIMEOUT_S, Suite

NAME: Final = "conversation"
_TEXT: Final = "Good afternoon! My order has not arrived yet, could you please tell me where it is?"
_AT_ONCE: Final = 2_000


@dataclass
class Alone:
    """The running service, with one workspace, one source and one owner."""

    stack: Devstack
    suite: Suite
    publisher: Publisher
    say: Callable[[str], None]
    workspace_id: str = field(default_factory=lambda: random_id("wsp"))
    location_id: str = field(default_factory=lambda: random_id("loc"))
    source_id: str = field(default_factory=lambda: random_id("src"))
    member_id: str = field(default_factory=lambda: random_id("mbr"))

    def __post_init__(self) -> None:
        settings = load(SealedStoreSettings, self.suite.settings)
        self._ids = IdKey(key_bytes(settings.deployment_key))
        self._tokens = ServiceTokens(
            "gateway", bytes.fromhex(self.suite.settings["PARLEY_GATEWAY_SIGNING_KEY"])
        )
        self._numbers = count(1)

    @property
    def servers(self) -> Servers:
        return self.stack.servers

    @property
    def url(self) -> str:
        return self.suite.url(NAME)

    def usage(self) -> dict[str, Usage]:
        parts = {NAME: self.suite.processes[NAME], **{p.name: p for p in self.stack.processes}}
        return usage({name: part.pid for name, part in parts.items() if part.pid is not None})

    def api(self, method: str, path: str, body: object = None, token: str | None = None) -> bytes:
        """A request as the gateway passes it on for the owner, or for whom the token is."""
        encoded = None if body is None else msgspec.json.encode(body)
        headers = {"authorization": f"Bearer {token or self.token(self.member_id)}"}
        return request(method, self.url + path, headers, encoded)

    def token(self, member_id: str) -> str:
        """With which the gateway asks for a member; good for a minute."""
        return self._tokens.issue(NAME, self.workspace_id, member_id, list(Action))

    def conversation_id(self, chat: int) -> str:
        return self._ids.conversation(self.source_id, str(chat))

    def message(self, chat: int, text: str = _TEXT) -> Outgoing:
        """A customer's message as ingest publishes it: the next of that chat."""
        number, now, thread = str(next(self._numbers)), datetime.now(UTC), str(chat)
        conversation_id = self.conversation_id(chat)
        body = InboundReceived(
            cause=f"{self.source_id}/message/{thread}/{number}",
            kind="message",
            direction="incoming",
            channel=Channel.TELEGRAM,
            source_id=self.source_id,
            conversation_id=conversation_id,
            thread=thread,
            customer_id=self._ids.customer(self.source_id, thread),
            sender=Sender(
                external_id=thread,
                name=f"Olena Kovalenko {chat}",
                username=f"olena_{chat}",
                language="uk",
            ),
            message_id=self._ids.message(self.source_id, thread, number),
            external_message_id=number,
            content=Content(text=text),
            occurred_at=now,
            received_at=now,
        )
        return outgoing(self._envelope(body, conversation_id))

    async def projected(self) -> int:
        return await projected(self.url)

    async def receive(self, messages: Iterable[Outgoing], so_many: int) -> float:
        """Seconds from the first taken from Kafka to the last in the read models.

        The service is held while they are published: it is measured, not the producer.
        """
        before = await self.projected()
        pid = self.suite.processes[NAME].pid
        service = psutil.Process(pid)
        service.suspend()
        try:
            for some in batched(messages, _AT_ONCE):
                await self.publisher.publish(some)
        finally:
            service.resume()
        began = time.perf_counter()
        await until("messages in the read model", before + so_many, self.projected)
        return time.perf_counter() - began

    async def begin(self) -> None:
        """Tell the directory's things, and wait until the service takes messages of the source."""
        states: list[tuple[Body, str]] = [
            (WorkspaceState(workspace_id=self.workspace_id, name="Benchmark"), self.workspace_id),
            (LocationState(location_id=self.location_id, name="Main"), self.location_id),
            (
                MemberState(
                    member_id=self.member_id,
                    name="Agent",
                    email="agent@example.com",
                    role=Role.OWNER,
                ),
                self.member_id,
            ),
            (
                SourceState(
                    source_id=self.source_id,
                    channel=Channel.TELEGRAM,
                    name="Benchmark",
                    location_id=self.location_id,
                    account="1",
                ),
                self.source_id,
            ),
        ]
        await self.tell(states)
        await self.receive([self.message(0)], 1)

    async def tell(self, states: Iterable[tuple[Body, str]]) -> None:
        """Things of the directory, each with its id."""
        await self.publisher.publish([outgoing(self._envelope(body, key)) for body, key in states])

    def _envelope(self, body: Body, key: str) -> Envelope:
        return Envelope(
            id=random_id("evt"),
            source="/parley/benchmarks",
            subject=key,
            key=key,
            workspace_id=self.workspace_id,
            sequence=0,
            time=datetime.now(UTC),
            body=body,
        )


@contextmanager
def started_alone(folder: Path, say: Callable[[str], None]) -> Iterator[tuple[Devstack, Suite]]:
    """The servers and the conversation service over an empty folder."""
    with Devstack(folder, say=say) as stack:
        suite = Suite(stack.servers, folder, say=say)
        asyncio.run(migrate_all(suite.settings))
        process = suite.processes[NAME]
        say(f"starting {NAME} alone")
        process.start()
        try:
            process.wait_ready(READY_TIMEOUT_S)
            yield stack, suite
        finally:
            process.stop()


@asynccontextmanager
async def alone(stack: Devstack, suite: Suite, say: Callable[[str], None]) -> AsyncIterator[Alone]:
    """What is measured on the started service, once it takes messages."""
    async with publishing(stack.servers.kafka_bootstrap, "", timeout_seconds=60) as publisher:
        world = Alone(stack, suite, publisher, say)
        await world.begin()
        yield world
