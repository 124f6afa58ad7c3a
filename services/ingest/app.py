"""The composition root of ingest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from libs.events.ids import IdKey
from libs.runtime.directory import Directory
from libs.runtime.http import service_app
from libs.runtime.kafka import Publisher
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.sealing import Sealer
from libs.runtime.settings import key_bytes
from services.ingest.accept import Acceptor
from services.ingest.channels.telegram.hook import telegram_hook
from services.ingest.settings import IngestSettings
from services.ingest.sources import SEAL_PURPOSE, SourceBook


@asynccontextmanager
async def compose(settings: IngestSettings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
    deployment_key = key_bytes(settings.deployment_key)
    ids = IdKey(deployment_key)
    directory = Directory(settings)
    runtime.run("directory", directory.table.run)
    runtime.ready_when("directory", directory.table.check)
    sources = SourceBook(directory, Sealer(deployment_key, SEAL_PURPOSE))

    webhook_publisher = await runtime.enter(
        Publisher(
            settings.kafka_bootstrap_servers,
            settings.kafka_namespace,
            settings.ingest_publish_timeout_seconds,
        )
    )
    runtime.ready_when("kafka", webhook_publisher.check)
    app = service_app(runtime, "Parley ingest")
    app.router.routes.insert(0, telegram_hook(sources, Acceptor(webhook_publisher), ids))
    yield app


SERVICE = ServiceSpec("ingest", IngestSettings, compose)
