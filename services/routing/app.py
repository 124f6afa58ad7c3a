"""Routing's composition root."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from starlette.types import ASGIApp

from libs.aggregates.application import StillInConflict
from libs.events.ids import IdKey, random_id
from libs.eventstore.outbox import Outbox, StepHook
from libs.eventstore.store import AsyncEventStore
from libs.runtime.away import SERVER_AWAY
from libs.runtime.broker import broker_of
from libs.runtime.directory import Directory
from libs.runtime.http import service_app
from libs.runtime.idempotency import Answers
from libs.runtime.left_out import left_out
from libs.runtime.mongo import check_mongo, mongo_client
from libs.runtime.outbox import SetAsideStreams, is_own
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.sealing import Sealer
from libs.runtime.settings import key_bytes
from libs.runtime.stopping import stopped_within
from libs.runtime.tokens import ServiceTokens
from libs.runtime.trust import guard
from services.routing.api.crm_webhook import PURPOSE as CRM_PURPOSE
from services.routing.api.crm_webhook import add_crm_webhook_routes
from services.routing.api.directory import DirectoryApi
from services.routing.commands import credentials
from services.routing.commands.directory import (
    COMMITS,
    DirectoryApplication,
    DirectoryCommandHandler,
)
from services.routing.consumers.autoforward import Autoforward
from services.routing.domain import rules
from services.routing.domain.sources import SourceRules
from services.routing.metrics import PENDING
from services.routing.publishing.directory_topic import DirectoryTopic
from services.routing.read_models.directory_entries import DirectoryEntries
from services.routing.settings import RoutingSettings
from services.routing.streams import OPENED, STREAMS

log = structlog.get_logger()

PENDING_INTERVAL_SECONDS: Final = 10.0
PASSING: Final[tuple[type[Exception], ...]] = (StillInConflict, *SERVER_AWAY)


@asynccontextmanager
async def compose(
    settings: RoutingSettings, runtime: Runtime, on_step: StepHook | None = None
) -> AsyncIterator[ASGIApp]:
    """``on_step``: called after each step of the outbox, so that a test may stop there."""
    mongodb_url = settings.mongodb_url.get_secret_value()
    mongo = await runtime.enter(mongo_client(mongodb_url, "parley-routing"))
    database = mongo[settings.mongodb_database]
    broker = await runtime.enter(broker_of("routing", STREAMS, settings))
    publisher = broker.publishes()
    deployment_key = key_bytes(settings.deployment_key)
    ids = IdKey(deployment_key)
    directory = Directory(settings)

    store = AsyncEventStore(database[COMMITS])
    entries = DirectoryEntries(database["routing_things"])
    answers = Answers(database["routing_answers"])
    await store.ensure_indexes()
    await entries.ensure_indexes()
    await answers.ensure_indexes()

    topic = DirectoryTopic(publisher, directory, entries)
    outbox = Outbox(store, entries.project, topic.publish, on_step=on_step, is_own=is_own(PASSING))
    application = DirectoryApplication(mongodb_url, settings.mongodb_database)
    runtime.closing(lambda: asyncio.to_thread(application.close))
    commands = DirectoryCommandHandler(application, store, outbox, topic)
    set_aside = SetAsideStreams(store, COMMITS, commands.unreadable)

    async def sweep(stop: asyncio.Event) -> None:
        await outbox.run_sweeper(settings.routing_sweep_seconds, stop, retry_on=PASSING)

    async def follow_permissions(stop: asyncio.Event) -> None:
        """Tell every workspace what this version's permission table says, then count pending."""
        untold: list[str] | None = None
        while not stop.is_set():
            try:
                untold = await entries.workspace_ids() if untold is None else untold
                while untold and not stop.is_set():
                    with left_out("permissions", untold[-1], PASSING):
                        await commands.change(untold[-1], random_id("req"), rules.define_roles)
                    untold.pop()
                PENDING.set(await store.count_pending())
            except PASSING as error:
                log.warning("tried again soon", task="permissions", error=type(error).__name__)
            await stopped_within(stop, PENDING_INTERVAL_SECONDS)

    runtime.run("directory", directory.table.run)
    runtime.run("directory repair", topic.keep_right)
    runtime.run("sweeper", sweep)
    runtime.run("permissions", follow_permissions)
    runtime.run("set aside", set_aside.run)
    runtime.tells("streams", set_aside.told)
    autoforward = Autoforward(directory, commands, publisher)
    runtime.consume("autoforward", broker.subscribes(OPENED, autoforward.route, publisher))
    runtime.ready_when("kafka", publisher.check)
    runtime.ready_when("mongodb", lambda: check_mongo(mongo))
    runtime.ready_when("directory", directory.table.check)

    app = service_app(runtime, "Parley routing")
    sealer = Sealer(deployment_key, credentials.PURPOSE)
    sources = SourceRules(credentials.Credentials(ids, sealer).connection)
    api = DirectoryApi(commands, sources, answers, ids)
    api.add_to(app)
    add_crm_webhook_routes(
        app,
        api,
        Sealer(deployment_key, CRM_PURPOSE),
        allow_private=settings.webhooks_allow_private,
    )
    guard(
        app,
        ServiceTokens("routing", key_bytes(settings.routing_signing_key), settings.verifying_keys),
    )
    yield app


SERVICE = ServiceSpec("routing", RoutingSettings, compose, streams=STREAMS)
