"""A small composition of the widget's own parts, and a site whose pages embed it."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
from obstore.store import ObjectStore
from starlette.types import ASGIApp

from libs.events.content import Channel, Content, Direction
from libs.events.conversation.case import CaseFacts, ConversationEvent
from libs.events.conversation.message import Message, MessageSent
from libs.events.directory import (
    DirectoryState,
    LocationState,
    MemberState,
    Role,
    SourceState,
    WorkspaceState,
)
from libs.events.ids import IdKey, random_id
from libs.runtime.broker import publishing
from libs.runtime.directory import Directory
from libs.runtime.http import ServiceClient, service_app
from libs.runtime.kafka import Publisher, outgoing
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.sealing import Sealer
from libs.runtime.settings import DeploymentSettings, key_bytes
from libs.runtime.storage import open_storage
from services.ingest.accept import Acceptor
from services.ingest.attachments.store import AttachmentStore
from services.ingest.channels.widget.files import FileHandles
from services.ingest.channels.widget.hub import WidgetHub
from services.ingest.channels.widget.routes import WidgetDependencies, WidgetLimits, widget_routes
from services.ingest.channels.widget.visitors import VisitorTokens
from services.ingest.sources import SourceBook
from tests.support.ingest.widget.team import Team
from tests.support.kafka import envelope, of_newer_version, publish_state
from tests.support.trust import SERVICE_KEYS, tokens_of

DEPLOYMENT_KEY = "d1" * 32
ORIGIN = "https://shop.example"


def environment_for(bootstrap: str, namespace: str) -> dict[str, str]:
    return {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "PARLEY_KAFKA_NAMESPACE": namespace,
        "PARLEY_DEPLOYMENT_KEY": DEPLOYMENT_KEY,
        **SERVICE_KEYS,
    }


def widget_service(
    conversation_url: str,
    *,
    limits: WidgetLimits | None = None,
    follows_directory: bool = True,
    publishes_to: str | None = None,
    storage: ObjectStore | None = None,
) -> ServiceSpec[DeploymentSettings]:
    """Only the widget of ingest. ``publishes_to``: another namespace, where no topic is.

    ``storage``: where the files are; without one there are none.
    """

    @asynccontextmanager
    async def compose(settings: DeploymentSettings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
        key = key_bytes(settings.deployment_key)
        directory = Directory(settings)
        files = FileHandles(key)
        hub = WidgetHub(
            files,
            bootstrap_servers=settings.kafka_bootstrap_servers,
            namespace=settings.kafka_namespace,
        )
        if follows_directory:
            runtime.run("directory", directory.table.run)
        runtime.run("widget hub", hub.run)
        runtime.ready_when("directory", directory.table.check)
        runtime.ready_when("widget hub", hub.check)
        namespace = settings.kafka_namespace if publishes_to is None else publishes_to
        publisher = publishing(settings.kafka_bootstrap_servers, namespace, 2)
        tokens = tokens_of("ingest")
        deps = WidgetDependencies(
            directory=directory,
            sources=SourceBook(directory, Sealer(key, "credentials")),
            acceptor=Acceptor(await runtime.enter(publisher)),
            id_key=IdKey(key),
            tokens=VisitorTokens(key),
            conversation=await runtime.enter(
                ServiceClient("conversation", conversation_url, tokens)
            ),
            hub=hub,
            files=files,
            store=AttachmentStore(storage or open_storage("memory:///", {})),
            limits=limits or WidgetLimits(),
        )
        app = service_app(runtime, "Widget")
        app.router.routes.extend(widget_routes(deps))
        yield app

    return ServiceSpec("ingest", DeploymentSettings, compose)


@dataclass(frozen=True)
class Site:
    """A connected widget source of its own, and what its pages and its team do."""

    url: str
    http: aiohttp.ClientSession
    publisher: Publisher
    source_id: str
    workspace_id: str
    team: Team
    ids: IdKey = field(default_factory=lambda: IdKey(bytes.fromhex(DEPLOYMENT_KEY)))

    async def session(self, origin: str | None = ORIGIN, **body: object) -> tuple[int, Any]:
        headers = {"origin": origin} if origin else {}
        path = f"{self.url}/widget/{self.source_id}/session"
        async with self.http.post(path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def visitor(self) -> dict[str, str]:
        status, answer = await self.session()
        assert status == 200, answer
        return dict(answer)

    async def send(
        self,
        token: str | None,
        text: str = "Hello",
        message_id: str | None = None,
        raw: bytes | None = None,
        origin: str = ORIGIN,
    ) -> tuple[int, Any]:
        headers = {"origin": origin}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        body = json.dumps({"message_id": message_id or str(uuid.uuid4()), "text": text}).encode()
        path = f"{self.url}/hooks/widget/{self.source_id}"
        async with self.http.post(path, data=raw or body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def messages(self, token: str, after: str = "0", origin: str = ORIGIN) -> tuple[int, Any]:
        headers = {"origin": origin, "authorization": f"Bearer {token}"}
        path = f"{self.url}/widget/{self.source_id}/messages"
        async with self.http.get(path, params={"after": after}, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    def live(
        self, origin: str = ORIGIN
    ) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        return self.http.ws_connect(f"{self.url}/widget/{self.source_id}/live", origin=origin)

    def conversation_of(self, visitor_id: str) -> str:
        return self.ids.conversation(self.source_id, visitor_id)

    async def heard(self, token: str, text: str = "Hello") -> str:
        """The conversation, once it has this message of the visitor's and a member took it."""
        status, answer = await self.send(token, text)
        assert status == 202, answer
        conversation_id = await self.team.newest()
        await self.team.has(conversation_id, answer["message_id"])
        await self.team.take(conversation_id)
        return conversation_id

    async def publish(
        self, event: ConversationEvent, position: int, *, newer: bool = False
    ) -> None:
        """To Kafka alone: what conversation never was told of is not in a history."""
        key = event.case.conversation_id
        message = outgoing(envelope(event, key, self.workspace_id, position))
        await self.publisher.publish([of_newer_version(message) if newer else message])

    def case(self, visitor_id: str, channel: Channel = Channel.WIDGET) -> CaseFacts:
        return CaseFacts(
            case_id="case_1",
            conversation_id=self.conversation_of(visitor_id),
            source_id=self.source_id,
            channel=channel,
            location_id="loc_1",
            customer_id=self.ids.customer(self.source_id, visitor_id),
            state="active",
            opened_at=datetime.now(UTC),
            opened_by="customer",
        )

    def sent(self, visitor_id: str, content: str | Content) -> MessageSent:
        return MessageSent(
            case=self.case(visitor_id),
            recorded_at=datetime.now(UTC),
            message=message("outgoing", content, member_id="mem_1"),
        )


def message(
    direction: Direction,
    content: str | Content,
    message_id: str | None = None,
    member_id: str | None = None,
) -> Message:
    return Message(
        message_id=message_id or random_id("msg"),
        direction=direction,
        content=Content(text=content) if isinstance(content, str) else content,
        occurred_at=datetime.now(UTC),
        member_id=member_id,
    )


async def connect_source(
    publisher: Publisher,
    *,
    origins: tuple[str, ...] = (ORIGIN,),
    identity_secret: str | None = None,
    connected: bool = True,
) -> tuple[str, str, str]:
    """A source of a new workspace, as routing publishes them: ids of source, workspace, owner."""
    source_id, workspace_id, member_id = random_id("src"), random_id("wsp"), random_id("mem")
    sealer = Sealer(bytes.fromhex(DEPLOYMENT_KEY), "credentials")
    credentials = {"identity_secret": identity_secret} if identity_secret else {}
    states: dict[str, DirectoryState] = {
        workspace_id: WorkspaceState(workspace_id=workspace_id, name="Shop"),
        "loc_1": LocationState(location_id="loc_1", name="Podil"),
        member_id: MemberState(
            member_id=member_id, name="Ann", email="a@shop.example", role=Role.OWNER
        ),
        source_id: SourceState(
            source_id=source_id,
            channel=Channel.WIDGET,
            name="Shop",
            location_id="loc_1",
            account="w1",
            connected=connected,
            sealed_credentials=sealer.seal(msgspec.json.encode(credentials), source_id),
            allowed_origins=origins,
        ),
    }
    for sequence, (key, state) in enumerate(states.items(), 1):
        await publish_state(publisher, state, key, workspace_id, sequence)
    return source_id, workspace_id, member_id
