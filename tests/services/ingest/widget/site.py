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
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from libs.events.api import CustomerMessage, CustomerTimeline
from libs.events.content import Channel, Content, Direction
from libs.events.conversation import (
    CaseFacts,
    ConversationEvent,
    Message,
    MessageReceived,
    MessageSent,
)
from libs.events.directory import SourceState
from libs.events.ids import IdKey, random_id
from libs.runtime.directory import Directory
from libs.runtime.http import ServiceClient, caller_of, json_response, service_app
from libs.runtime.kafka import Publisher, outgoing
from libs.runtime.problems import NotFound
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.sealing import Sealer
from libs.runtime.settings import Settings, key_bytes, load
from libs.runtime.tokens import ServiceTokens
from services.ingest.widget.hub import WidgetHub
from services.ingest.widget.routes import WidgetDependencies, WidgetLimits, widget_routes
from services.ingest.widget.visitors import VisitorTokens
from tests.support.kafka import envelope, publish_state

DEPLOYMENT_KEY = "d1" * 32
SERVICE_KEY = "5e" * 32
ORIGIN = "https://shop.example"


def settings_for(bootstrap: str, namespace: str) -> Settings:
    return load(
        Settings,
        {
            "PARLEY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "PARLEY_KAFKA_NAMESPACE": namespace,
            "PARLEY_DEPLOYMENT_KEY": DEPLOYMENT_KEY,
            "PARLEY_SERVICE_KEY": SERVICE_KEY,
        },
    )


def widget_service(
    conversation_url: str,
    *,
    limits: WidgetLimits | None = None,
    follows_directory: bool = True,
    publishes_to: str | None = None,
) -> ServiceSpec[Settings]:
    """Only the widget of ingest. ``publishes_to``: another namespace, where no topic is."""

    @asynccontextmanager
    async def compose(settings: Settings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
        key = key_bytes(settings.deployment_key)
        directory = Directory(settings)
        hub = WidgetHub(
            bootstrap_servers=settings.kafka_bootstrap_servers, namespace=settings.kafka_namespace
        )
        if follows_directory:
            runtime.run("directory", directory.table.run)
        runtime.run("widget hub", hub.run)
        runtime.ready_when("directory", directory.table.check)
        runtime.ready_when("widget hub", hub.check)
        namespace = settings.kafka_namespace if publishes_to is None else publishes_to
        publisher = Publisher(settings.kafka_bootstrap_servers, namespace, 2)
        tokens = ServiceTokens(key_bytes(settings.service_key), "ingest")
        deps = WidgetDependencies(
            directory=directory,
            publisher=await runtime.enter(publisher),
            id_key=IdKey(key),
            sealer=Sealer(key, "credentials"),
            tokens=VisitorTokens(key),
            conversation=await runtime.enter(
                ServiceClient("conversation", conversation_url, tokens)
            ),
            hub=hub,
            limits=limits or WidgetLimits(),
        )
        app = service_app(runtime, "Widget")
        app.router.routes.extend(widget_routes(deps))
        yield app

    return ServiceSpec("ingest", Settings, compose)


@dataclass
class History:
    """What conversation would answer, in its contract's shapes and over real HTTP.

    ``test_whole.py`` holds the widget against conversation itself; with this a test can say what
    is in a history, edge by edge.
    """

    by_conversation: dict[str, list[CustomerMessage]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def service(self) -> ServiceSpec[Settings]:
        @asynccontextmanager
        async def compose(settings: Settings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
            verified = caller_of(ServiceTokens(key_bytes(settings.service_key), "conversation"))

            async def timeline(request: Request) -> Any:
                caller = verified(request)
                conversation_id = request.path_params["conversation_id"]
                query = dict(request.query_params)
                self.asked.append((caller.service, caller.workspace_id, query))
                limit, after = int(query["limit"]), int(query["after"])
                items = self.by_conversation.get(conversation_id)
                if items is None:
                    raise NotFound("There is no such conversation")
                found = [item for item in items if item.position > after]
                return json_response(CustomerTimeline(items=tuple(found[:limit]), more=False))

            app = service_app(runtime, "History")
            path = "/internal/v1/customer-timeline/{conversation_id}"
            app.router.routes.append(APIRoute(path, timeline, response_model=None))
            yield app

        return ServiceSpec("conversation", Settings, compose)


@dataclass(frozen=True)
class Site:
    """A connected widget source of its own, and what its pages and its team do."""

    url: str
    http: aiohttp.ClientSession
    publisher: Publisher
    history: History
    source_id: str
    workspace_id: str
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

    async def publish(self, event: ConversationEvent, position: int) -> None:
        """As conversation does: its read model has it before Kafka does."""
        key = event.case.conversation_id
        if isinstance(event, MessageSent | MessageReceived):
            self.history.by_conversation.setdefault(key, []).append(
                CustomerMessage(
                    message_id=event.message.message_id,
                    direction=event.message.direction,
                    content=event.message.content,
                    occurred_at=event.message.occurred_at,
                    position=position,
                )
            )
        await self.publisher.publish([outgoing(envelope(event, key, self.workspace_id, position))])

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
) -> tuple[str, str]:
    """A source of a new workspace, as routing publishes it: the ids of source and workspace."""
    source_id, workspace_id = random_id("src"), random_id("wsp")
    sealer = Sealer(bytes.fromhex(DEPLOYMENT_KEY), "credentials")
    credentials = {"identity_secret": identity_secret} if identity_secret else {}
    state = SourceState(
        source_id=source_id,
        channel=Channel.WIDGET,
        name="Shop",
        location_id="loc_1",
        account="w1",
        connected=connected,
        sealed_credentials=sealer.seal(msgspec.json.encode(credentials), source_id),
        allowed_origins=origins,
    )
    await publish_state(publisher, state, source_id, workspace_id)
    return source_id, workspace_id
