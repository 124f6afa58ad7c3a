"""The composition root of ingest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TypedDict, Unpack

from pymongo.asynchronous.database import AsyncDatabase
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from libs.events.content import Channel
from libs.events.ids import IdKey, random_id
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.consumer import BatchConsumer, Handler, Wanted
from libs.runtime.directory import Directory
from libs.runtime.http import ServiceClient, service_app
from libs.runtime.kafka import Publisher
from libs.runtime.mongo import Document, mongo_client
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.sealing import Sealer
from libs.runtime.settings import key_bytes
from libs.runtime.storage import open_storage
from libs.runtime.tokens import ServiceTokens
from libs.runtime.trust import guard
from services.ingest.api.attachments import attachment_routes
from services.ingest.api.photos import Photos, photo_routes
from services.ingest.api.sources import registration_routes, webhook_url
from services.ingest.attachments.fetch import Fetcher, may_have_attachments
from services.ingest.attachments.store import AttachmentStore
from services.ingest.channels.telegram.api import BotApi
from services.ingest.channels.telegram.hook import telegram_hook
from services.ingest.channels.telegram.moves import Moves
from services.ingest.channels.telegram.sender import TelegramSender
from services.ingest.channels.widget.dependencies import WidgetDependencies, WidgetLimits
from services.ingest.channels.widget.files import FileHandles
from services.ingest.channels.widget.hub import WidgetHub
from services.ingest.channels.widget.routes import widget_routes
from services.ingest.channels.widget.visitors import VisitorTokens
from services.ingest.consumers.erasure import GROUP as ERASING_GROUP
from services.ingest.consumers.erasure import Eraser
from services.ingest.consumers.erasure import wanted as erasing_wanted
from services.ingest.sending.attempts import Attempts
from services.ingest.sending.lease_sweeper import LeaseSweeper
from services.ingest.sending.ordered_queues import OrderedQueues
from services.ingest.sending.port import KeptSender, Sender
from services.ingest.settings import IngestSettings
from services.ingest.sources import SEAL_PURPOSE, SourceBook
from services.ingest.webhooks.accept import Acceptor
from services.ingest.webhooks.registrar import Registrar, RegistrarParts
from services.ingest.webhooks.removal import WebhookRemoval
from services.ingest.webhooks.router import Hooks

# Few at a time: a picture is in memory while it is fetched.
_FETCH_BATCH = 50
# A file is there before anybody has opened the conversation.
_FETCH_PATIENCE_SECONDS = 0.25


class _ConsumerOptions(TypedDict, total=False):
    max_batch: int
    patience_seconds: float
    wanted: Wanted
    ordered: bool


class _Composition:
    """The parts that several others need.

    Readiness is about taking messages in: neither MongoDB nor the storage is needed for that, so
    an outage of theirs must not take the webhooks away. Their work waits until they are back.
    """

    def __init__(self, settings: IngestSettings, runtime: Runtime) -> None:
        self.settings = settings
        self.runtime = runtime
        self.deployment_key = key_bytes(settings.deployment_key)
        self.ids = IdKey(self.deployment_key)
        self.sealer = Sealer(self.deployment_key, SEAL_PURPOSE)
        self.tokens = ServiceTokens(
            "ingest", key_bytes(settings.ingest_signing_key), settings.verifying_keys
        )
        self.directory = Directory(settings)
        self.sources = SourceBook(self.directory, self.sealer)
        options = {k: v.get_secret_value() for k, v in settings.ingest_storage_options.items()}
        self.store = AttachmentStore(open_storage(settings.ingest_storage_url, options))
        runtime.run("directory", self.directory.table.run)
        runtime.ready_when("directory", self.directory.table.check)

    async def publisher(self, timeout_seconds: float) -> Publisher:
        settings = self.settings
        return await self.runtime.enter(
            publishing(settings.kafka, settings.kafka_namespace, timeout_seconds)
        )

    def consumer(
        self,
        topic: Topic,
        group: str,
        handler: Handler,
        publisher: Publisher,
        **options: Unpack[_ConsumerOptions],
    ) -> None:
        consumer = BatchConsumer(
            [topic],
            group,
            handler,
            bootstrap_servers=self.settings.kafka,
            namespace=self.settings.kafka_namespace,
            publisher=publisher,
            **options,
        )
        self.runtime.consume(group, consumer, is_needed=False)


@asynccontextmanager
async def compose(settings: IngestSettings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
    parts = _Composition(settings, runtime)
    # A producer of its own for the webhooks: what else is published never stands before them.
    hooks = await parts.publisher(settings.ingest_publish_timeout_seconds)
    background = await parts.publisher(10)
    runtime.ready_when("kafka", hooks.check)

    bots = await runtime.enter(BotApi(settings.ingest_telegram_api_url))
    mongo = mongo_client(settings.mongodb_url.get_secret_value(), "parley-ingest")
    runtime.closing(mongo.close)
    database = mongo[settings.mongodb_database]
    moves = Moves(database["ingest_moves"])
    attempts = _compose_sending(parts, bots, moves, background, database)
    url_of = partial(webhook_url, settings.ingest_public_url, Channel.TELEGRAM)
    registrar = Registrar(
        database["ingest_registrations"],
        RegistrarParts(parts.directory, parts.sources, bots, parts.ids, url_of),
    )
    runtime.run("registrar", registrar.run)
    removal = WebhookRemoval(
        database["ingest_leaving"], parts.directory, parts.sources, bots, url_of, registrar
    )
    runtime.run("leaving", removal.run)
    parts.consumer(
        Topic.CONVERSATION,
        ERASING_GROUP,
        Eraser(parts.store, attempts).handle,
        background,
        wanted=erasing_wanted(),
        ordered=False,
    )
    fetcher = Fetcher(parts.store, parts.sources, bots, runtime.stop)
    parts.consumer(
        Topic.INBOUND,
        "ingest-attachments",
        fetcher.handle,
        background,
        max_batch=_FETCH_BATCH,
        patience_seconds=_FETCH_PATIENCE_SECONDS,
        wanted=may_have_attachments,
        ordered=False,
    )

    app = service_app(runtime, "Parley ingest")
    routes: list[BaseRoute] = [
        *await _compose_widget(parts, hooks),
        *attachment_routes(parts.store, fetcher),
        *photo_routes(Photos(parts.sources, bots)),
        *registration_routes(
            parts.directory, parts.sources, registrar, removal, settings.ingest_public_url
        ),
    ]
    app.router.routes[:0] = routes
    guard(app, parts.tokens, public=("/widget", "/hooks/widget/"))
    hook = telegram_hook(
        parts.sources, parts.directory, Acceptor(hooks), moves, registrar, parts.ids
    )
    yield Hooks(app, {Channel.TELEGRAM: hook})


def _compose_sending(
    parts: _Composition,
    bots: BotApi,
    moves: Moves,
    publisher: Publisher,
    database: AsyncDatabase[Document],
) -> Attempts:
    # A life's own name: after a restart the attempts of the life before are somebody else's.
    attempts = Attempts(database["ingest_attempts"], random_id("snd"))
    senders: dict[Channel, Sender] = {
        Channel.TELEGRAM: TelegramSender(bots, parts.store.read, moves),
        Channel.WIDGET: KeptSender(),
    }
    queues = OrderedQueues(attempts, publisher, parts.sources, senders, parts.ids)
    parts.consumer(Topic.OUTBOUND, "ingest-sender", queues.handle, publisher)
    parts.runtime.run("ingest-attempts", LeaseSweeper(attempts, queues).run)
    return attempts


async def _compose_widget(parts: _Composition, publisher: Publisher) -> list[BaseRoute]:
    settings, runtime = parts.settings, parts.runtime
    conversation = await runtime.enter(
        ServiceClient("conversation", settings.ingest_conversation_url, parts.tokens)
    )
    files = FileHandles(parts.deployment_key)
    hub = WidgetHub(
        files,
        bootstrap_servers=settings.kafka,
        namespace=settings.kafka_namespace,
    )
    runtime.run("widget-hub", hub.run)
    runtime.ready_when("widget-hub", hub.check)
    return widget_routes(
        WidgetDependencies(
            directory=parts.directory,
            publisher=publisher,
            id_key=parts.ids,
            sealer=parts.sealer,
            tokens=VisitorTokens(parts.deployment_key),
            conversation=conversation,
            hub=hub,
            files=files,
            store=parts.store,
            limits=WidgetLimits(sockets_of_an_address=settings.max_sockets_per_address),
        )
    )


SERVICE = ServiceSpec("ingest", IngestSettings, compose, public=True)
