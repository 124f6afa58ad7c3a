"""A running conversation service on the real servers, and all that surrounds it: a workspace's
directory, ingest that writes to Kafka, the gateway that calls."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal

import aiohttp

from libs.events.actions import Action
from libs.events.commands import RouteCase
from libs.events.content import Channel, Content, DeliveryState, Post, ReachedState, Sender
from libs.events.directory import (
    AutoforwardState,
    DirectoryState,
    GroupState,
    LocationState,
    MemberState,
    Role,
    RoleState,
    SourceState,
    WorkspaceState,
)
from libs.events.envelope import Envelope, read_envelope
from libs.events.ids import IdKey, random_id
from libs.events.inbound import DeliveryChanged, DeliveryWatermark, InboundReceived
from libs.events.registry import Body
from libs.eventstore.outbox import StepHook
from libs.runtime.broker import publishing
from libs.runtime.http import ServiceClient
from libs.runtime.kafka import Publisher, outgoing
from libs.runtime.process import ServiceSpec, running
from libs.runtime.settings import load
from libs.runtime.topics import create_topics
from services.conversation.app import compose
from services.conversation.settings import ConversationSettings
from services.routing.domain.permissions import PERMISSIONS, actions_of
from tests.support.eventually import eventually
from tests.support.http import ready
from tests.support.kafka import envelope, publish_state, read_records
from tests.support.trust import SERVICE_KEYS, tokens_of

DEPLOYMENT_KEY = bytes(range(32))
AGENT = PERMISSIONS[Role.OPERATOR]
MANAGER = AGENT | {Action.MANAGE_CASES, Action.AUDIT, Action.ERASE}
MODERATOR = PERMISSIONS[Role.MODERATOR]

_sequence = count(1)


@dataclass(frozen=True)
class Answer:
    status: int
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class World:
    """One workspace with a source. While the service runs, ``client`` calls it and ``failure``
    is what a part of it fails with."""

    bootstrap: str
    namespace: str
    publisher: Publisher
    settings: ConversationSettings
    workspace_id: str = field(default_factory=lambda: random_id("wsp"))
    location_id: str = field(default_factory=lambda: random_id("loc"))
    source_id: str = field(default_factory=lambda: random_id("src"))
    client: ServiceClient | None = None
    failure: "asyncio.Future[None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    id_key: IdKey = field(default_factory=lambda: IdKey(DEPLOYMENT_KEY))

    def beside(self) -> "World":
        """Another workspace, in the same service."""
        return World(
            self.bootstrap, self.namespace, self.publisher, self.settings, client=self.client
        )

    async def publish(self, body: Body, key: str, workspace_id: str | None = None) -> None:
        await self.publish_all([(body, key)], workspace_id)

    async def publish_all(
        self, bodies: list[tuple[Body, str]], workspace_id: str | None = None
    ) -> None:
        workspace = workspace_id or self.workspace_id
        await self.publisher.publish([outgoing(envelope(b, key, workspace)) for b, key in bodies])

    async def directory(self, *states: DirectoryState) -> None:
        for state in states:
            key = _key_of(state)
            # A role is told apart by its workspace, other things have ids of their own.
            if isinstance(state, RoleState):
                key = f"{self.workspace_id}:role:{key}"
            await publish_state(self.publisher, state, key, self.workspace_id, next(_sequence))

    async def begin(self) -> None:
        await self.directory(
            *(RoleState(role=role, actions=actions_of(role)) for role in Role),
            WorkspaceState(workspace_id=self.workspace_id, name="Coffee & Co"),
            LocationState(location_id=self.location_id, name="Podil", time_zone="Europe/Kyiv"),
            SourceState(
                source_id=self.source_id,
                channel=Channel.TELEGRAM,
                name="bot",
                location_id=self.location_id,
                account="42",
            ),
        )

    async def member(
        self, name: str, role: Role = Role.OPERATOR, location_ids: tuple[str, ...] = ()
    ) -> str:
        member_id = random_id("mem")
        await self.directory(
            MemberState(
                member_id=member_id,
                name=name,
                email=f"{name.lower()}@coffee.example",
                role=role,
                location_ids=location_ids,
            )
        )
        return member_id

    async def autoforward(self, *member_ids: str) -> str:
        group_id = random_id("grp")
        await self.directory(
            GroupState(group_id=group_id, name="Sales", member_ids=member_ids),
            AutoforwardState(
                autoforward_id=random_id("fwd"), source_ids=(self.source_id,), group_id=group_id
            ),
        )
        return group_id

    def conversation_id(self, thread: str) -> str:
        return self.id_key.conversation(self.source_id, thread)

    def inbound(
        self,
        thread: str,
        number: int,
        text: str = "",
        *,
        kind: Literal["message", "edit"] = "message",
        direction: Literal["incoming", "outgoing"] = "incoming",
        at: datetime | None = None,
        cause: str | None = None,
        reply_to_external: str | None = None,
        post: Post | None = None,
    ) -> InboundReceived:
        """The ``number``-th message of a thread, as ingest tells of it."""
        now = datetime.now(UTC)
        came = self.id_key.message_cause(self.source_id, thread, str(number))
        return InboundReceived(
            cause=cause or (came if kind == "message" else f"edit/{thread}/{number}/{text}"),
            kind=kind,
            direction=direction,
            channel=Channel.TELEGRAM,
            source_id=self.source_id,
            conversation_id=self.conversation_id(thread),
            thread=thread,
            customer_id=self.id_key.customer(self.source_id, thread),
            sender=Sender(external_id=thread, name=f"Customer {thread}"),
            message_id=self.id_key.message(self.source_id, thread, str(number)),
            external_message_id=str(number),
            content=Content(text=text or f"message {number}"),
            occurred_at=at or now - timedelta(seconds=1),
            received_at=now,
            reply_to=None,
            reply_to_external=reply_to_external,
            visibility="public" if post else "private",
            post=post,
            permalink=f"{post.permalink}#{number}" if post else None,
        )

    async def receive(self, *messages: InboundReceived) -> None:
        await self.publish_all([(m, m.conversation_id) for m in messages])

    async def deliver(
        self,
        conversation_id: str,
        message_id: str,
        state: DeliveryState,
        external: tuple[str, ...] = (),
        at: datetime | None = None,
        attempt: int = 1,
    ) -> None:
        body = self.receipt(conversation_id, message_id, state, external, at, attempt)
        await self.publish(body, conversation_id)

    def receipt(
        self,
        conversation_id: str,
        message_id: str,
        state: DeliveryState,
        external: tuple[str, ...] = (),
        at: datetime | None = None,
        attempt: int = 1,
    ) -> DeliveryChanged:
        return DeliveryChanged(
            message_id=message_id,
            conversation_id=conversation_id,
            source_id=self.source_id,
            state=state,
            occurred_at=at or datetime.now(UTC),
            external_message_ids=external,
            attempt=attempt,
        )

    async def reached(
        self,
        conversation_id: str,
        state: ReachedState,
        up_to: datetime | None = None,
        external: str | None = None,
    ) -> None:
        """The platform says how far what was sent to the conversation has got."""
        body = self.watermark(conversation_id, state, up_to, external)
        await self.publish(body, conversation_id)

    def watermark(
        self,
        conversation_id: str,
        state: ReachedState,
        up_to: datetime | None = None,
        external: str | None = None,
    ) -> DeliveryWatermark:
        return DeliveryWatermark(
            conversation_id=conversation_id,
            source_id=self.source_id,
            state=state,
            occurred_at=datetime.now(UTC),
            up_to=up_to,
            up_to_external=external,
        )

    async def route(self, conversation_id: str, case_id: str, group_id: str | None) -> None:
        command = RouteCase(
            cause=f"route/{case_id}",
            conversation_id=conversation_id,
            case_id=case_id,
            group_id=group_id,
        )
        await self.publish(command, conversation_id)

    async def call(
        self,
        member_id: str,
        method: str,
        path: str,
        body: object | None = None,
        *,
        key: str | None = None,
        actions: frozenset[Action] = AGENT,
        workspace_id: str | None = None,
        query: Mapping[str, str] | None = None,
        language: str | None = None,
    ) -> Answer:
        if self.client is None:
            raise RuntimeError("the service does not run")
        headers = {"idempotency-key": key, "accept-language": language}
        status, raw, _ = await self.client.call(
            method,
            path,
            workspace_id=workspace_id or self.workspace_id,
            member_id=member_id,
            actions=actions,
            query=query,
            body=json.dumps(body).encode() if body is not None else None,
            headers={name: value for name, value in headers.items() if value is not None},
        )
        return Answer(status, raw)

    async def events(self, number: int, topic: str = "parley.conversation") -> list[Envelope]:
        """At least so many events of this workspace, each where it arrived first: an event may
        be published again, which consumers pass over. Errors: TimeoutError."""

        def own(records: list[Any]) -> list[Any]:
            workspace = self.workspace_id.encode()
            first: dict[bytes, Any] = {}
            for one in records:
                headers = dict(one.headers)
                if headers["ce_workspace"] == workspace:
                    first.setdefault(headers["ce_id"], one)
            return list(first.values())

        records = await read_records(
            self.bootstrap, self.namespace + topic, lambda records: len(own(records)) >= number
        )
        return [read_envelope(one.key, one.headers, one.value) for one in own(records)]

    async def settled(self) -> None:
        """The service has seen all that was published of the directory."""
        probe = await self.member("Probe")

        async def known() -> bool:
            return (await self.call(probe, "GET", "/v1/conversations")).status == 200

        await eventually(known)

    async def view(self, member_id: str, conversation_id: str) -> Answer:
        return await self.call(member_id, "GET", f"/v1/conversations/{conversation_id}")

    async def seen(
        self,
        member_id: str,
        conversation_id: str,
        until: Callable[[Any], bool] = lambda view: True,
        timeout_seconds: float = 30,
    ) -> Any:
        """The conversation's view once it is there and as expected. Errors: TimeoutError."""

        async def look() -> Any:
            answer = await self.view(member_id, conversation_id)
            return answer.body if answer.status == 200 and until(answer.body) else None

        return await eventually(look, within_seconds=timeout_seconds)

    async def timeline(self, member_id: str, conversation_id: str, **query: str) -> Any:
        path = f"/v1/conversations/{conversation_id}/timeline"
        answer = await self.call(member_id, "GET", path, query=query)
        assert answer.status == 200, answer
        return answer.body


def settings_of(
    bootstrap: str, namespace: str, mongodb_url: str, database: str, **changed: str
) -> ConversationSettings:
    return load(
        ConversationSettings,
        {
            "PARLEY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "PARLEY_KAFKA_NAMESPACE": namespace,
            "PARLEY_DEPLOYMENT_KEY": DEPLOYMENT_KEY.hex(),
            **SERVICE_KEYS,
            "PARLEY_MONGODB_URL": mongodb_url,
            "PARLEY_MONGODB_DATABASE": database,
            "PARLEY_CONVERSATION_ANCHOR_URL": "memory:///",
            "PARLEY_CONVERSATION_SWEEP_INTERVAL_SECONDS": "0.1",
            "PARLEY_CONVERSATION_SETTLE_SECONDS": "0.3",
            **changed,
        },
    )


@asynccontextmanager
async def world_of(settings: ConversationSettings) -> AsyncIterator[World]:
    """The surroundings, without the service."""
    bootstrap, namespace = settings.kafka_bootstrap_servers, settings.kafka_namespace
    await create_topics(bootstrap, namespace)
    async with publishing(bootstrap, namespace) as publisher:
        world = World(bootstrap, namespace, publisher, settings)
        await world.begin()
        yield world


@asynccontextmanager
async def serving(world: World, on_step: StepHook | None = None) -> AsyncIterator[World]:
    """The service runs, and is ready; the world's calls go to it."""
    spec = ServiceSpec(
        "conversation",
        ConversationSettings,
        lambda settings, runtime: compose(settings, runtime, on_step),
    )
    tokens = tokens_of("gateway")
    async with running(spec, world.settings) as (url, failure), aiohttp.ClientSession() as session:
        await ready(session, url)
        async with ServiceClient("conversation", url, tokens) as client:
            world.client, world.failure = client, failure
            yield world
            world.client = None


def _key_of(state: DirectoryState) -> str:
    """Each state names itself first."""
    key: str = getattr(state, state.__struct_fields__[0])
    return key
