"""The composition root of the conversation service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from fastapi import FastAPI
from pymongo.asynchronous.database import AsyncDatabase
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from libs.aggregates.events import UnknownEvent, UnreadableEvent
from libs.events.ids import IdKey
from libs.events.topics import Topic
from libs.eventstore.errors import CommitUnreadable, StreamBroken, StreamSetAside
from libs.eventstore.outbox import StepHook
from libs.eventstore.store import AsyncEventStore
from libs.runtime.away import SERVER_AWAY
from libs.runtime.broker import broker_of
from libs.runtime.dead_letters import take_out
from libs.runtime.directory import Directory
from libs.runtime.follower import Follower
from libs.runtime.http import service_app
from libs.runtime.http import set_aside as problem_of_set_aside
from libs.runtime.idempotency import Answers
from libs.runtime.long_work import LongWork
from libs.runtime.mongo import Document, check_mongo, mongo_client
from libs.runtime.outbox import SetAsideStreams
from libs.runtime.problems import Unavailable
from libs.runtime.process import Migration, Runtime, ServiceSpec
from libs.runtime.settings import MongoSettings, key_bytes
from libs.runtime.stopping import stopped_within
from libs.runtime.subscriber import Subscriber
from libs.runtime.tokens import ServiceTokens
from libs.runtime.trust import guard
from services.conversation.anchors.anchor import AnchorKey
from services.conversation.anchors.storage import open_anchors
from services.conversation.anchors.writing import AnchorWriter
from services.conversation.api import cases, conversations, internal, marks
from services.conversation.api import customers as customers_api
from services.conversation.api import drafts as drafts_api
from services.conversation.api import messages as messages_api
from services.conversation.api import saved_filters as saved_filters_api
from services.conversation.api.resource import Requests, Resource, Routes, add_routes
from services.conversation.commands.activities import ActivityCommands
from services.conversation.commands.answers import SentAnswers
from services.conversation.commands.assignment import AssignmentCommands
from services.conversation.commands.corrections import CorrectionCommands
from services.conversation.commands.customers import CustomerCommands
from services.conversation.commands.drafts import DraftCommands
from services.conversation.commands.erasure import ErasureCommands
from services.conversation.commands.executor import CommandExecutor
from services.conversation.commands.life import LifeCommands
from services.conversation.commands.marks import MarkCommands
from services.conversation.commands.messages import MessageCommands
from services.conversation.commands.queue import CommandQueue
from services.conversation.commands.reading import ReadingCommands
from services.conversation.consumers import search
from services.conversation.consumers.departures import Departures
from services.conversation.consumers.early_deletions import EARLY_DELETIONS
from services.conversation.consumers.early_deletions import INDEXES as EARLY_INDEXES
from services.conversation.consumers.routing_timeouts import RoutingTimeouts, watch_unpublished
from services.conversation.dependencies import Dependencies, dependencies_of
from services.conversation.privacy.answer_vault import ANSWERS, AnswerVault
from services.conversation.privacy.erasure.erasure_process import ErasureProcess
from services.conversation.privacy.erasure.erasures import Erasures
from services.conversation.privacy.sealed_payload import Broken
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.read_models.attachments import FILE_INDEXES, FILES
from services.conversation.read_models.comments import CommentQueries
from services.conversation.read_models.conversation_queries import ConversationQueries
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.customer_timeline import CustomerTimelines
from services.conversation.read_models.customers.cases import CustomerCases
from services.conversation.read_models.customers.queries import CustomerQueries
from services.conversation.read_models.customers.rows import CUSTOMER_INDEXES, CUSTOMERS
from services.conversation.read_models.drafts import DRAFTS, Drafts
from services.conversation.read_models.inbox.inbox import PageCaches
from services.conversation.read_models.inbox.rows import INBOX, INBOX_INDEXES
from services.conversation.read_models.member import Members
from services.conversation.read_models.messages.rows import MESSAGE_INDEXES, MESSAGES
from services.conversation.read_models.personal_data import ReadModelsPersonalData
from services.conversation.read_models.rebuild.registry import read_models
from services.conversation.read_models.rebuild.renewal import ReadModelRenewal
from services.conversation.read_models.row_states import UnreadableRow
from services.conversation.read_models.saved_filters import (
    SAVED_FILTER_INDEXES,
    SAVED_FILTERS,
    SavedFilterStore,
)
from services.conversation.read_models.search.cards import CardRows
from services.conversation.read_models.search.entries import Entries
from services.conversation.read_models.search.index import (
    FORGOTTEN,
    FORGOTTEN_INDEXES,
    SEARCH,
    SEARCH_INDEXES,
    SearchIndex,
)
from services.conversation.read_models.search.query import Search
from services.conversation.read_models.time_travel.past import PastConversations
from services.conversation.read_models.time_travel.snapshots import (
    HISTORICAL_SNAPSHOTS,
    SNAPSHOT_INDEXES,
)
from services.conversation.read_models.timeline import Timelines
from services.conversation.read_models.verified_streams import (
    VERIFIED,
    VERIFIED_INDEXES,
    VerifiedStreams,
)
from services.conversation.settings import ConversationSettings
from services.conversation.streams import (
    ANCHORS,
    BEGINNINGS,
    COMMANDS,
    CUSTOMER,
    DELIVERY,
    INBOUND,
    SEARCH_ROWS,
    STREAMS,
)

log = structlog.get_logger()

_DIRECTORY_POLL_SECONDS: Final = 0.05
# What other replicas did may be known a quarter of a second later: few fetches cost less.
_COUNTS_PATIENCE_SECONDS: Final = 0.25


# The past and the audit read whole streams, on the same loop as the commands: a few at a time.
_LONG_AT_ONCE: Final = 2
_LONG_WAITING: Final = 12
_LONG_IN_ALL: Final = 3


# That something of a stream cannot be read: its own trouble, and nobody else's.
_UNREADABLE: Final = (
    CommitUnreadable,
    StreamBroken,
    StreamSetAside,
    UnreadableEvent,
    UnreadableRow,
    Broken,
)


@asynccontextmanager
async def compose(
    settings: ConversationSettings, runtime: Runtime, on_step: StepHook | None = None
) -> AsyncIterator[ASGIApp]:
    """``on_step``: called after each step of the outbox, so that a test may stop there."""
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-conversation")
    runtime.closing(client.close)
    database = client[settings.mongodb_database]
    await ensure_indexes(database)
    broker = await runtime.enter(broker_of("conversation", STREAMS, settings))
    publisher = broker.publishes()

    directory = Directory(settings)
    engine = dependencies_of(settings, database, publisher, directory, on_step)
    for reads in (INBOUND, DELIVERY, COMMANDS, CUSTOMER):
        [topic] = reads.topics
        consumer = broker.subscribes(reads, engine.handlers[topic], publisher)
        _consume(topic, consumer, runtime, directory)

    answers = Answers(database[ANSWERS], AnswerVault(engine.keyring))
    queue = CommandQueue(engine.handler)
    outbox = engine.outbox
    timeouts = RoutingTimeouts(
        engine.handler,
        database[INBOX],
        timedelta(seconds=settings.conversation_routing_timeout_seconds),
    )
    follower = Follower(
        "counts",
        (Topic.CONVERSATION,),
        engine.counts.take,
        began=engine.counts.began,
        patience_seconds=_COUNTS_PATIENCE_SECONDS,
        bootstrap_servers=settings.kafka,
        namespace=settings.kafka_namespace,
    )
    key = key_bytes(settings.deployment_key)
    entries, index = Entries(key), SearchIndex(database)
    cards = CardRows(database[CUSTOMERS], index, entries)
    saved_filters = SavedFilterStore(database[SAVED_FILTERS], entries.tokens)
    erasure = ErasureProcess(
        Erasures(database, engine.keyring),
        engine.keyring,
        engine.store,
        engine.handler,
        engine.customer_handler,
        ReadModelsPersonalData(database, index, cards, saved_filters.forget),
        lambda unwanted: take_out(settings.kafka, settings.kafka_namespace, unwanted),
        timedelta(seconds=settings.conversation_erasure_check_seconds),
    )
    interval = settings.conversation_sweep_interval_seconds
    runtime.run("counts", follower.run)
    runtime.run("directory", directory.table.run)
    runtime.run("commands queue", queue.run)
    runtime.run("routing timeouts", timeouts.run)
    runtime.run("departures", Departures(engine.handler, database[INBOX], directory).run)
    anchors = broker.gathers(ANCHORS, _anchor_writer(settings, runtime.stop).gather)
    runtime.consume("anchors", anchors, is_needed=False)
    runtime.run("marker", lambda stop: outbox.run_marker(stop, retry_on=SERVER_AWAY))
    runtime.run("sweeper", lambda stop: outbox.run_sweeper(interval, stop, retry_on=SERVER_AWAY))
    await engine.blocked.refresh()
    await engine.early.refresh()
    runtime.run("early deletions", engine.early.run)
    runtime.run("blocked customers", engine.blocked.run)
    runtime.run("erasures", lambda stop: erasure.run(interval, stop))
    runtime.run("read models", ReadModelRenewal(database, key, read_models(key)).run)
    verified = VerifiedStreams(database[VERIFIED], engine.commits, key)
    runtime.run("verified streams", verified.run)
    set_aside = SetAsideStreams(engine.commits, COMMITS)
    runtime.run("set aside", set_aside.run)
    runtime.tells("streams", set_aside.told)
    runtime.run("unpublished", lambda stop: watch_unpublished(engine.commits, stop))
    runtime.ready_when("mongodb", lambda: check_mongo(client))
    runtime.ready_when("kafka", publisher.check)
    runtime.ready_when("directory", directory.table.check)
    runtime.ready_when("counts", follower.check)

    searchable = search.SearchHandler(index, entries, database[INBOX], cards)
    for reads, handler in ((SEARCH_ROWS, searchable), (BEGINNINGS, engine.new_conversations)):
        runtime.consume(reads.group, broker.subscribes(reads, handler, publisher))

    app = service_app(runtime, "Parley conversation")
    app.add_exception_handler(UnknownEvent, _newer)
    for broken in _UNREADABLE:
        app.add_exception_handler(broken, problem_of_set_aside)
    _add_api(
        app,
        database,
        engine,
        directory,
        queue,
        erasure,
        entries,
        answers,
        verified,
        saved_filters,
        IdKey(key),
    )
    guard(
        app,
        ServiceTokens(
            "conversation", key_bytes(settings.conversation_signing_key), settings.verifying_keys
        ),
    )
    yield app


def _add_api(
    app: FastAPI,
    database: AsyncDatabase[Document],
    engine: Dependencies,
    directory: Directory,
    queue: CommandQueue,
    erasure: ErasureProcess,
    entries: Entries,
    answers: Answers,
    verified: VerifiedStreams,
    saved_filters: SavedFilterStore,
    id_key: IdKey,
) -> None:
    executor = CommandExecutor(queue)
    inbox, messages, customer_rows = database[INBOX], database[MESSAGES], database[CUSTOMERS]
    members, drafts = Members(directory), Drafts(database[DRAFTS])
    timelines = Timelines(engine.store, messages)
    visible = VisibleConversations(
        inbox, database[FILES], PageCaches(), engine.repository, timelines
    )
    customers = CustomerQueries(visible, inbox, customer_rows)
    sent = SentAnswers(timelines)
    activities = ActivityCommands(executor, sent, id_key)
    about_conversations = Requests(members, answers, "conversation_id", visible.get)
    about_customers = Requests(members, answers, "customer_id", customers.customer)

    queries = ConversationQueries(
        visible,
        timelines,
        PastConversations(engine.history, customer_rows),
        drafts,
        engine.commits,
        verified,
        LongWork(_LONG_AT_ONCE, _LONG_WAITING, _LONG_IN_ALL),
    )
    conversation_handlers = conversations.ConversationHandlers(
        visible,
        queries,
        CommentQueries(visible, inbox, timelines),
        Search(database[SEARCH], entries),
        engine.counts,
        drafts,
        ReadingCommands(visible, queue),
    )

    def add[H](handler: H, routes: Routes[H], requests: Requests = about_conversations) -> None:
        add_routes(app, Resource(handler, requests), routes)

    # The busiest first: a request is compared with the routes in this order.
    add(conversation_handlers, conversations.ROUTES)
    add(LifeCommands(executor, visible, engine.numbers), cases.LIFE_ROUTES)
    add(
        MessageCommands(executor, visible, timelines, sent, drafts, id_key),
        messages_api.MESSAGE_ROUTES,
    )
    add(DraftCommands(visible, drafts), drafts_api.ROUTES)
    add(AssignmentCommands(executor), cases.ASSIGNMENT_ROUTES)
    add(activities, messages_api.ACTIVITY_ROUTES)
    add(MarkCommands(executor, visible), marks.ROUTES)
    add(CorrectionCommands(executor, visible, messages), messages_api.CORRECTION_ROUTES)
    customer_handlers = customers_api.CustomerHandlers(
        customers,
        CustomerCases(customers, engine.store, messages),
        activities,
        ErasureCommands(erasure),
    )
    add(customer_handlers, customers_api.ROUTES, about_customers)
    add(
        CustomerCommands(customers, engine.customer_handler),
        customers_api.COMMAND_ROUTES,
        about_customers,
    )
    add(saved_filters, saved_filters_api.ROUTES)
    add(internal.InternalHandlers(visible, CustomerTimelines(inbox, timelines)), internal.ROUTES)


def _consume(topic: Topic, consumer: Subscriber, runtime: Runtime, directory: Directory) -> None:
    async def run(stop: asyncio.Event) -> None:
        # A message's source and its rules are looked up in the directory: first all of it.
        while not directory.table.is_caught_up and not stop.is_set():
            await stopped_within(stop, _DIRECTORY_POLL_SECONDS)
        await consumer.run(stop)

    runtime.consume(topic.value, consumer, task=run)


async def _newer(_request: Request, error: Exception) -> Response:
    """While a release is rolled out, a newer replica may have written what this one cannot read."""
    log.error("a newer version wrote this", error=str(error))
    return Unavailable().response()


def _anchor_writer(settings: ConversationSettings, stop: asyncio.Event) -> AnchorWriter:
    return AnchorWriter(
        open_anchors(settings),
        AnchorKey(key_bytes(settings.deployment_key)),
        stop,
        interval_seconds=settings.conversation_anchor_interval_seconds,
    )


async def migrate(settings: MongoSettings) -> str:
    """Make the indexes."""
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-migrate")
    async with client:
        database = client[settings.mongodb_database]
        await ensure_indexes(database)
        # Of a release that let them grow for ever: their time begins now.
        for collection, since in ((HISTORICAL_SNAPSHOTS, "kept_at"), (FORGOTTEN, "forgotten_at")):
            await database[collection].update_many(
                {since: None}, {"$set": {since: datetime.now(UTC)}}
            )
    return "the indexes of the conversations' events, inbox, messages and customers are there"


async def ensure_indexes(database: AsyncDatabase[Document]) -> None:
    await asyncio.gather(
        AsyncEventStore(database[COMMITS]).ensure_indexes(),
        Answers(database[ANSWERS]).ensure_indexes(),
        Drafts(database[DRAFTS]).ensure_indexes(),
        database[SAVED_FILTERS].create_indexes(list(SAVED_FILTER_INDEXES)),
        database[INBOX].create_indexes(list(INBOX_INDEXES)),
        database[SEARCH].create_indexes(list(SEARCH_INDEXES)),
        database[MESSAGES].create_indexes(list(MESSAGE_INDEXES)),
        database[CUSTOMERS].create_indexes(list(CUSTOMER_INDEXES)),
        database[EARLY_DELETIONS].create_indexes(list(EARLY_INDEXES)),
        database[FILES].create_indexes(list(FILE_INDEXES)),
        database[VERIFIED].create_indexes(list(VERIFIED_INDEXES)),
        database[HISTORICAL_SNAPSHOTS].create_indexes(list(SNAPSHOT_INDEXES)),
        database[FORGOTTEN].create_indexes(list(FORGOTTEN_INDEXES)),
    )


SERVICE: Final = ServiceSpec(
    "conversation",
    ConversationSettings,
    compose,
    Migration(MongoSettings, migrate),
    streams=STREAMS,
)
