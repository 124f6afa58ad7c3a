"""What decides, keeps and tells: everything between a batch of messages and its effects."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from pymongo.asynchronous.database import AsyncDatabase

from libs.events.ids import IdKey
from libs.events.topics import Topic
from libs.eventstore.outbox import Outbox, StepHook
from libs.eventstore.store import AsyncEventStore
from libs.runtime.away import SERVER_AWAY
from libs.runtime.consumer import Handler
from libs.runtime.directory import Directory
from libs.runtime.kafka import Publisher
from libs.runtime.mongo import Document
from libs.runtime.outbox import is_own, publish_messages
from libs.runtime.settings import key_bytes
from services.conversation.anchors.writing import COMMIT_HEADER
from services.conversation.commands.case_numbers import COUNTERS, CaseNumbers
from services.conversation.consumers.arrivals import Arrivals
from services.conversation.consumers.customer_changes import CustomerHandler
from services.conversation.consumers.customer_profiles import CustomerTeller
from services.conversation.consumers.deliveries import DeliveryHandler
from services.conversation.consumers.early_deletions import EARLY_DELETIONS, EarlyDeletions
from services.conversation.consumers.inbound import CommandsHandler, InboundHandler
from services.conversation.consumers.new_conversations import BeginningHandler
from services.conversation.customer_kind import Customers
from services.conversation.desk import Desk
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.state import CustomerState
from services.conversation.domain.sent_message import SentMessage, SentMessageState
from services.conversation.kinds import Conversations, SentMessages
from services.conversation.loading import Loader
from services.conversation.privacy.erasure.erasures import Erasures
from services.conversation.privacy.keyring import Keyring
from services.conversation.privacy.sealed_store import COMMITS, SealedStore
from services.conversation.projection import Projection
from services.conversation.read_models.attachments import FILES
from services.conversation.read_models.customers.blocked import BlockedCustomers
from services.conversation.read_models.customers.rows import CUSTOMERS
from services.conversation.read_models.inbox.counts import Counts
from services.conversation.read_models.inbox.rows import INBOX
from services.conversation.read_models.messages.rows import MESSAGES
from services.conversation.read_models.time_travel.history import History
from services.conversation.read_models.time_travel.snapshots import Landmarks
from services.conversation.settings import ConversationSettings


@dataclass(frozen=True, slots=True)
class Engine:
    """One of a process. ``handlers``: what each topic's batches go to; ``beginnings``: the first
    events of conversations."""

    commits: AsyncEventStore
    keyring: Keyring
    store: SealedStore
    outbox: Outbox
    loader: Loader[ConversationState]
    desk: Desk[ConversationState, Conversation]
    counts: Counts
    numbers: CaseNumbers
    customer_desk: Desk[CustomerState, Customer]
    blocked: BlockedCustomers
    early: EarlyDeletions
    history: History
    handlers: dict[Topic, Handler]
    beginnings: BeginningHandler


def engine_of(
    settings: ConversationSettings,
    database: AsyncDatabase[Document],
    publisher: Publisher,
    directory: Directory,
    on_step: StepHook | None = None,
    *,
    mark_later: bool = True,
) -> Engine:
    """``on_step``: called after each step of the outbox, so that a test may stop there."""
    inbox, messages, customer_rows = database[INBOX], database[MESSAGES], database[CUSTOMERS]
    commits = AsyncEventStore(database[COMMITS])
    keyring = Keyring(
        database, key_bytes(settings.deployment_key), settings.conversation_cache_size
    )
    store = SealedStore(commits, keyring)

    projection = Projection()
    outbox = Outbox(
        commits,
        projection.project,
        partial(publish_messages, publisher),
        opens=store.decisions,
        on_step=on_step,
        settle=timedelta(seconds=settings.conversation_settle_seconds),
        mark_later=mark_later,
        commit_header=COMMIT_HEADER,
        is_own=is_own(SERVER_AWAY),
    )
    counts = Counts(inbox)
    landmarks = Landmarks(database, keyring)
    conversations = Conversations(
        inbox, messages, customer_rows, database[FILES], counts.wrote, landmarks
    )
    sent_messages = SentMessages(messages)
    customers = Customers(customer_rows)
    loader: Loader[ConversationState] = Loader(
        conversations, store, settings.conversation_cache_size
    )
    sent_loader: Loader[SentMessageState] = Loader(
        sent_messages, store, settings.conversation_cache_size
    )
    projection.add(conversations, loader)
    customer_loader: Loader[CustomerState] = Loader(
        customers, store, settings.conversation_cache_size
    )
    projection.add(sent_messages, sent_loader)
    projection.add(customers, customer_loader)
    desk: Desk[ConversationState, Conversation] = Desk(conversations, loader, store, outbox)
    sent_desk: Desk[SentMessageState, SentMessage] = Desk(sent_messages, sent_loader, store, outbox)
    customer_desk: Desk[CustomerState, Customer] = Desk(customers, customer_loader, store, outbox)
    blocked = BlockedCustomers(customer_rows)
    numbers = CaseNumbers(database[COUNTERS])
    teller = CustomerTeller(desk, customer_rows, keyring, Erasures(database, keyring))
    early = EarlyDeletions(database[EARLY_DELETIONS])
    arrivals = Arrivals(store, loader, messages, early, IdKey(key_bytes(settings.deployment_key)))
    handlers: dict[Topic, Handler] = {
        Topic.INBOUND: InboundHandler(desk, directory, arrivals, numbers, blocked),
        Topic.DELIVERY: DeliveryHandler(sent_desk, desk, conversations.find, store, messages),
        Topic.COMMANDS: CommandsHandler(desk),
        Topic.CUSTOMER: CustomerHandler(desk, customer_rows, teller),
    }
    return Engine(
        commits,
        keyring,
        store,
        outbox,
        loader,
        desk,
        counts,
        numbers,
        customer_desk,
        blocked,
        early,
        History(store, landmarks, messages),
        handlers,
        BeginningHandler(teller, customer_rows),
    )
