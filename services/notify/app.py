"""Notify, put together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from starlette.types import ASGIApp

from libs.events.ids import IdKey
from libs.runtime.broker import broker_of
from libs.runtime.consumer import Received, Refused
from libs.runtime.directory import Directory
from libs.runtime.http import service_app
from libs.runtime.mongo import check_mongo, mongo_client
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.sealing import Sealer
from libs.runtime.settings import key_bytes
from libs.runtime.tokens import ServiceTokens
from libs.runtime.trust import guard
from services.notify.api import add_routes
from services.notify.consumers import Announcer
from services.notify.crm.deliveries import CrmDeliveries
from services.notify.crm.posting import Poster
from services.notify.crm.worker import SEAL_PURPOSE, CrmWorker
from services.notify.emails.deliveries import Deliveries
from services.notify.emails.smtp import Mailer
from services.notify.emails.worker import DeliveryWorker
from services.notify.notifications.in_app import InApp
from services.notify.notifications.notifications import Notifications
from services.notify.notifications.rules import Rules
from services.notify.settings import NotifySettings
from services.notify.streams import STREAMS, TOLD

log = structlog.get_logger()


@asynccontextmanager
async def compose(settings: NotifySettings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
    mongo = await runtime.enter(
        mongo_client(settings.mongodb_url.get_secret_value(), "parley-notify")
    )
    database = mongo[settings.mongodb_database]
    broker = await runtime.enter(broker_of("notify", STREAMS, settings))
    publisher = broker.publishes()
    directory = Directory(settings)
    rules = Rules(database["notify_rules"])
    notifications = Notifications(database["notify_notifications"])
    deliveries = Deliveries(database["notify_deliveries"])
    await notifications.ensure_indexes()
    await deliveries.ensure_indexes()

    deployment_key = key_bytes(settings.deployment_key)
    ids = IdKey(deployment_key)
    in_app = InApp(notifications, publisher)
    worker = _worker(settings, deliveries, directory)
    announcer = Announcer(
        directory, rules, in_app, deliveries, ids, worker.wake if worker else None
    )
    crm_deliveries = CrmDeliveries(database["notify_crm_deliveries"])
    await crm_deliveries.ensure_indexes()
    crm = CrmWorker(
        crm_deliveries,
        await runtime.enter(Poster(allow_private=settings.webhooks_allow_private)),
        directory,
        in_app,
        ids,
        Sealer(deployment_key, SEAL_PURPOSE),
        settings.notify_console_url,
        timedelta(seconds=settings.notify_retry_seconds),
    )

    async def handle(batch: Sequence[Received]) -> Sequence[Refused]:
        await crm.write_down(batch)
        return await announcer.announce(batch)

    runtime.run("directory", directory.table.run)
    runtime.consume("announcer", broker.subscribes(TOLD, handle, publisher))
    runtime.run("crm", crm.run)
    if worker:
        runtime.run("e-mail", worker.run)
    runtime.ready_when("kafka", publisher.check)
    runtime.ready_when("mongodb", lambda: check_mongo(mongo))
    runtime.ready_when("directory", directory.table.check)

    app = service_app(runtime, "Parley notify")
    add_routes(app, notifications, rules)
    guard(
        app,
        ServiceTokens("notify", key_bytes(settings.notify_signing_key), settings.verifying_keys),
    )
    yield app


def _worker(
    settings: NotifySettings, deliveries: Deliveries, directory: Directory
) -> DeliveryWorker | None:
    if settings.notify_smtp_url is None or settings.notify_email_from is None:
        log.warning("e-mail is off: PARLEY_NOTIFY_SMTP_URL is not set")
        return None
    return DeliveryWorker(
        deliveries,
        Mailer(settings.notify_smtp_url.get_secret_value(), settings.notify_email_from),
        directory,
        settings.notify_console_url,
        timedelta(seconds=settings.notify_retry_seconds),
    )


SERVICE: Final = ServiceSpec("notify", NotifySettings, compose, streams=STREAMS)
