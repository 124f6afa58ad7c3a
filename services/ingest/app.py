"""The composition root of ingest."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

from pymongo.asynchronous.database import AsyncDatabase
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from libs.events.content import Channel
from libs.events.ids import IdKey, random_id
from libs.runtime.broker import ServiceBroker, broker_of
from libs.runtime.consumer import Handler
from libs.runtime.directory import Directory
from libs.runtime.http import service_app
from libs.runtime.kafka import Publisher
from libs.runtime.mongo import Document, mongo_client
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.sealing import Sealer
from libs.runtime.settings import key_bytes
from libs.runtime.storage import open_storage
from libs.runtime.streams import Subscription
from libs.runtime.tokens import ServiceTokens
from libs.runtime.trust import guard
from services.ingest.accept import Acceptor
from services.ingest.api.attachments import attachment_routes
from services.ingest.api.photos import Photos, photo_routes
from services.ingest.api.sources import registration_routes, webhook_url
from services.ingest.attachments.fetch import Fetcher
from services.ingest.attachments.store import AttachmentStore
from services.ingest.channels.protocol import ChannelAdapter, ChannelContext
from services.ingest.channels.registry import factory_of
from services.ingest.consumers.erasure import Eraser
from services.ingest.polling.poller import Poller
from services.ingest.sending.attempts import Attempts
from services.ingest.sending.lease_sweeper import LeaseSweeper
from services.ingest.sending.ordered_queues import OrderedQueues
from services.ingest.settings import IngestSettings
from services.ingest.sources import SEAL_PURPOSE, SourceBook
from services.ingest.streams import ERASING, FILES, SENDING, STREAMS
from services.ingest.webhooks.intake import Intake
from services.ingest.webhooks.registrar import Registrar, RegistrarParts
from services.ingest.webhooks.removal import WebhookRemoval
from services.ingest.webhooks.router import Hook, Hooks


class _Composition:
    """The parts that several others need.

    Readiness is about taking messages in: neither MongoDB nor the storage is needed for that, so
    an outage of theirs must not take the webhooks away. Their work waits until they are back.
    """

    def __init__(self, settings: IngestSettings, runtime: Runtime, broker: ServiceBroker) -> None:
        self.settings = settings
        self.runtime = runtime
        self.deployment_key = key_bytes(settings.deployment_key)
        self.ids = IdKey(self.deployment_key)
        self.sealer = Sealer(self.deployment_key, SEAL_PURPOSE)
        self.tokens = ServiceTokens(
            "ingest", key_bytes(settings.ingest_signing_key), settings.verifying_keys
        )
        self.broker = broker
        self.directory = Directory(settings)
        self.sources = SourceBook(self.directory, self.sealer)
        options = {k: v.get_secret_value() for k, v in settings.ingest_storage_options.items()}
        self.store = AttachmentStore(open_storage(settings.ingest_storage_url, options))
        runtime.run("directory", self.directory.table.run)
        runtime.ready_when("directory", self.directory.table.check)

    def consume(self, subscription: Subscription, handler: Handler, publisher: Publisher) -> None:
        consumer = self.broker.subscribes(subscription, handler, publisher)
        self.runtime.consume(subscription.group, consumer, is_needed=False)


@asynccontextmanager
async def compose(settings: IngestSettings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
    broker = await runtime.enter(broker_of("ingest", STREAMS, settings))
    parts = _Composition(settings, runtime, broker)
    # A producer of its own for the webhooks: what else is published never stands before them.
    hooks = broker.publishes(settings.ingest_publish_timeout_seconds)
    background = broker.publishes()
    runtime.ready_when("kafka", hooks.check)

    acceptor = Acceptor(hooks)
    mongo = mongo_client(settings.mongodb_url.get_secret_value(), "parley-ingest")
    runtime.closing(mongo.close)
    database = mongo[settings.mongodb_database]
    channels = await _open_channels(parts, acceptor, database)
    attempts = _compose_sending(parts, channels, background, database)
    url_of = partial(webhook_url, settings.ingest_public_url)
    registrations = _having(channels, lambda one: one.registration)
    registrar = Registrar(
        database["ingest_registrations"],
        RegistrarParts(parts.directory, parts.sources, registrations, parts.ids, url_of),
    )
    runtime.run("registrar", registrar.run)
    removal = WebhookRemoval(
        database["ingest_leaving"],
        parts.directory,
        parts.sources,
        registrations,
        url_of,
        registrar,
    )
    runtime.run("webhook-removal", removal.run)
    for channel, poll in _having(channels, lambda one: one.poll).items():
        poller = Poller(
            channel, poll, parts.sources, acceptor, database["ingest_polls"], registrar.saw_update
        )
        runtime.run(f"{channel}-poller", poller.run)
    parts.consume(ERASING, Eraser(parts.store, attempts).handle, background)
    fetcher = Fetcher(
        parts.store, parts.sources, _having(channels, lambda one: one.files), runtime.stop
    )
    parts.consume(FILES, fetcher.handle, background)

    app = service_app(runtime, "Parley ingest")
    routes: list[BaseRoute] = [
        *(route for one in channels.values() for route in one.routes),
        *attachment_routes(parts.store, fetcher),
        *photo_routes(Photos(parts.sources, _having(channels, lambda one: one.photos))),
        *registration_routes(
            parts.directory, parts.sources, registrar, removal, settings.ingest_public_url
        ),
    ]
    app.router.routes[:0] = routes
    public = tuple(path for one in channels.values() for path in one.public)
    guard(app, parts.tokens, public=public)
    intakes: dict[Channel, Hook] = {
        channel: Intake(
            channel, webhook, channels[channel].handshake, parts.sources, acceptor, registrar
        )
        for channel, webhook in _having(channels, lambda one: one.webhook).items()
    }
    yield Hooks(app, intakes)


type _Channels = Mapping[Channel, ChannelAdapter]


async def _open_channels(
    parts: _Composition, acceptor: Acceptor, database: AsyncDatabase[Document]
) -> _Channels:
    context = ChannelContext(
        settings=parts.settings,
        deployment_key=parts.deployment_key,
        ids=parts.ids,
        directory=parts.directory,
        sources=parts.sources,
        acceptor=acceptor,
        store=parts.store,
        tokens=parts.tokens,
        database=database,
    )
    channels = {}
    for channel in Channel:
        adapter = await parts.runtime.enter(factory_of(channel)(context))
        for name, task in adapter.tasks.items():
            parts.runtime.run(name, task)
        for name, check in adapter.checks.items():
            parts.runtime.ready_when(name, check)
        channels[channel] = adapter
    return channels


def _having[T](channels: _Channels, part: Callable[[ChannelAdapter], T | None]) -> dict[Channel, T]:
    """That part of each channel which has one."""
    parts = {channel: part(adapter) for channel, adapter in channels.items()}
    return {channel: one for channel, one in parts.items() if one is not None}


def _compose_sending(
    parts: _Composition,
    channels: _Channels,
    publisher: Publisher,
    database: AsyncDatabase[Document],
) -> Attempts:
    # A life's own name: after a restart the attempts of the life before are somebody else's.
    attempts = Attempts(database["ingest_attempts"], random_id("snd"))
    senders = {channel: adapter.sender for channel, adapter in channels.items()}
    queues = OrderedQueues(attempts, publisher, parts.sources, senders, parts.ids)
    parts.consume(SENDING, queues.handle, publisher)
    parts.runtime.run("ingest-attempts", LeaseSweeper(attempts, queues).run)
    return attempts


SERVICE = ServiceSpec("ingest", IngestSettings, compose, public=True, streams=STREAMS)
