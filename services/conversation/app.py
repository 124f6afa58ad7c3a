"""The composition root of the conversation service."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase
from starlette.types import ASGIApp

from libs.events.ids import IdKey
from libs.events.topics import Topic
from libs.eventstore.commits import PublicMessage
from libs.eventstore.outbox import Outbox, StepHook
from libs.eventstore.store import AsyncEventStore
from libs.runtime.consumer import BatchConsumer, Handler
from libs.runtime.directory import Directory
from libs.runtime.http import service_app
from libs.runtime.idempotency import Answers
from libs.runtime.kafka import Publisher
from libs.runtime.mongo import TRANSIENT, Document, check_mongo, mongo_client
from libs.runtime.outbox import publish_messages
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.settings import key_bytes
from libs.runtime.stopping import stopped_within
from libs.runtime.tokens import ServiceTokens
from services.conversation.api import add_routes
from services.conversation.commands import CommandQueue, Parts
from services.conversation.consumers import CommandsHandler, InboundHandler
from services.conversation.deliveries import DeliveryHandler
from services.conversation.desk import Desk
from services.conversation.domain.conversation import Conversation
from services.conversation.domain.sent_message import SentMessage, SentMessageState
from services.conversation.domain.state import ConversationState
from services.conversation.inbox import Lists
from services.conversation.keyring import Keyring
from services.conversation.kinds import Conversations, SentMessages
from services.conversation.loading import Loader
from services.conversation.numbers import CaseNumbers
from services.conversation.projection import Projection
from services.conversation.rows import (
    ANSWERS,
    COMMITS,
    COUNTERS,
    INBOX,
    INBOX_INDEXES,
    MESSAGE_INDEXES,
    MESSAGES,
)
from services.conversation.sealed_store import SealedStore
from services.conversation.settings import ConversationSettings
from services.conversation.sweeping import PASSING, RoutingTimeouts, watch_unpublished

_DIRECTORY_POLL_SECONDS: Final = 0.05
_RECEIPTS_LINGER_SECONDS: Final = 0.1


@asynccontextmanager
async def compose(
    settings: ConversationSettings, runtime: Runtime, on_step: StepHook | None = None
) -> AsyncIterator[ASGIApp]:
    """``on_step``: called after each step of the outbox, so that a test may stop there."""
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-conversation")
    runtime.closing(client.close)
    database = client[settings.mongodb_database]
    inbox, messages = database[INBOX], database[MESSAGES]
    commits = AsyncEventStore(database[COMMITS])
    keyring = Keyring(
        database, key_bytes(settings.deployment_key), settings.conversation_cache_size
    )
    store = SealedStore(commits, keyring)
    answers = Answers(database[ANSWERS])
    await ensure_indexes(database)
    publisher = await runtime.enter(
        Publisher(settings.kafka_bootstrap_servers, settings.kafka_namespace)
    )

    async def publish(public: Sequence[PublicMessage]) -> None:
        await publish_messages(publisher, await store.open_messages(public))

    projection = Projection(store)
    outbox = Outbox(
        commits,
        projection.project,
        publish,
        on_step=on_step,
        settle=timedelta(seconds=settings.conversation_settle_seconds),
        mark_later=True,
    )
    conversations = Conversations(inbox, messages)
    sent_messages = SentMessages(messages)
    loader: Loader[ConversationState] = Loader(
        conversations, store, settings.conversation_cache_size
    )
    sent_loader: Loader[SentMessageState] = Loader(
        sent_messages, store, settings.conversation_cache_size
    )
    projection.add(conversations, loader)
    projection.add(sent_messages, sent_loader)
    desk: Desk[ConversationState, Conversation] = Desk(
        conversations, loader, projection, store, outbox
    )
    sent_desk: Desk[SentMessageState, SentMessage] = Desk(
        sent_messages, sent_loader, projection, store, outbox
    )

    directory = Directory(settings)
    numbers = CaseNumbers(database[COUNTERS])
    handlers: list[tuple[Topic, Handler]] = [
        (Topic.INBOUND, InboundHandler(desk, directory, messages, numbers)),
        (Topic.DELIVERY, DeliveryHandler(sent_desk, desk, conversations.find, store, messages)),
        (Topic.COMMANDS, CommandsHandler(desk)),
    ]
    for topic, handler in handlers:
        # Nobody waits at a screen for "sent": many receipts in one batch cost little more than one.
        linger = _RECEIPTS_LINGER_SECONDS if topic is Topic.DELIVERY else 0.0
        _consume(topic, handler, settings, runtime, publisher, directory, linger)

    queue = CommandQueue(desk)
    timeouts = RoutingTimeouts(
        desk, inbox, timedelta(seconds=settings.conversation_routing_timeout_seconds)
    )
    interval = settings.conversation_sweep_interval_seconds
    runtime.run("directory", directory.table.run)
    runtime.run("commands queue", queue.run)
    runtime.run("routing timeouts", timeouts.run)
    runtime.run("marker", lambda stop: outbox.run_marker(stop, retry_on=PASSING))
    runtime.run("sweeper", lambda stop: outbox.run_sweeper(interval, stop, retry_on=PASSING))
    runtime.run("unpublished", lambda stop: watch_unpublished(commits, stop))
    runtime.ready_when("mongodb", lambda: check_mongo(client))
    runtime.ready_when("kafka", publisher.check)
    runtime.ready_when("directory", directory.table.check)

    parts = Parts(
        queue=queue,
        loader=loader,
        directory=directory,
        store=store,
        inbox=inbox,
        messages=messages,
        lists=Lists(),
        id_key=IdKey(key_bytes(settings.deployment_key)),
    )
    tokens = ServiceTokens(key_bytes(settings.service_key), runtime.service)
    app = service_app(runtime, "Parley conversation")
    add_routes(app, parts, answers, tokens)
    yield app


def _consume(
    topic: Topic,
    handler: Handler,
    settings: ConversationSettings,
    runtime: Runtime,
    publisher: Publisher,
    directory: Directory,
    linger_seconds: float,
) -> None:
    consumer = BatchConsumer(
        [topic],
        f"conversation-{topic.value.removeprefix('parley.')}",
        handler,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        namespace=settings.kafka_namespace,
        publisher=publisher,
        transient=TRANSIENT,
        linger_seconds=linger_seconds,
    )

    async def run(stop: asyncio.Event) -> None:
        # A message's source and its rules are looked up in the directory: first all of it.
        while not directory.table.is_caught_up and not stop.is_set():
            await stopped_within(stop, _DIRECTORY_POLL_SECONDS)
        await consumer.run(stop)

    runtime.run(f"consumer of {topic.value}", run)
    runtime.ready_when(topic.value, consumer.check)


async def migrate(settings: ConversationSettings) -> str:
    """Make the indexes."""
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-migrate")
    async with client:
        await ensure_indexes(client[settings.mongodb_database])
    return "the indexes of the conversations' events, inbox and messages are there"


async def ensure_indexes(database: AsyncDatabase[Document]) -> None:
    await asyncio.gather(
        AsyncEventStore(database[COMMITS]).ensure_indexes(),
        Answers(database[ANSWERS]).ensure_indexes(),
        database[INBOX].create_indexes(list(INBOX_INDEXES)),
        database[MESSAGES].create_indexes(list(MESSAGE_INDEXES)),
    )


SERVICE: Final = ServiceSpec("conversation", ConversationSettings, compose, migrate)
