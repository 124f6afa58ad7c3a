"""Analytics, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import ASGIApp

from libs.runtime.broker import broker_of
from libs.runtime.directory import Directory
from libs.runtime.http import service_app
from libs.runtime.process import Migration, Runtime, ServiceSpec
from libs.runtime.settings import key_bytes
from libs.runtime.tokens import ServiceTokens
from libs.runtime.trust import guard
from services.analytics.api import add_routes
from services.analytics.consumers import Projection
from services.analytics.migrate import SchemaError, apply, migrate, pending
from services.analytics.reports import Reports
from services.analytics.settings import AnalyticsSettings, WarehouseSettings
from services.analytics.streams import FACTS, STREAMS
from services.analytics.warehouse import (
    database_of,
    is_embedded,
    open_warehouse,
)


@asynccontextmanager
async def compose(settings: AnalyticsSettings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
    dsn = settings.analytics_clickhouse_dsn.get_secret_value()
    warehouse = await open_warehouse(dsn, database_of(dsn, settings.analytics_clickhouse_database))
    runtime.closing(warehouse.close)
    if is_embedded(dsn):
        await apply(warehouse)
    elif missing := await pending(warehouse):
        names = ", ".join(migration.name for migration in missing)
        raise SchemaError(f"run `parley migrate` first: ClickHouse lacks {names}")
    broker = await runtime.enter(broker_of("analytics", STREAMS, settings))
    publisher = broker.publishes()
    directory = Directory(settings)
    consumer = broker.subscribes(
        FACTS,
        Projection(warehouse).apply,
        publisher,
        linger_seconds=settings.analytics_flush_interval_seconds,
    )
    runtime.consume("consumer", consumer)
    runtime.run("directory", directory.table.run)
    runtime.ready_when("directory", directory.table.check)
    runtime.ready_when("clickhouse", warehouse.check)
    runtime.ready_when("kafka", publisher.check)
    app = service_app(runtime, "Parley analytics")
    add_routes(app, Reports(warehouse), directory)
    guard(
        app,
        ServiceTokens(
            "analytics", key_bytes(settings.analytics_signing_key), settings.verifying_keys
        ),
    )
    yield app


SERVICE: Final = ServiceSpec(
    "analytics",
    AnalyticsSettings,
    compose,
    Migration(WarehouseSettings, migrate),
    streams=STREAMS,
)
