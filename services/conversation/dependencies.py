"""The composition of what decides, keeps and tells: all between a batch and its effects."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from libs.aggregates.aggregate_type import AggregateType
from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.projection import Projector
from libs.aggregates.repository import AggregateRepository
from libs.aggregates.sealing import Sealer, unsealed
from libs.events.ids import IdKey
from libs.events.topics import Topic
from libs.eventstore.outbox import Outbox, StepHook
from libs.eventstore.store import AsyncEventStore
from libs.runtime.away import SERVER_AWAY
from libs.runtime.consumer import Handler, Transient
from libs.runtime.directory import Directory
from libs.runtime.kafka import Publisher
from libs.runtime.mongo import Document
from libs.runtime.outbox import is_own, publish_messages
from libs.runtime.settings import key_bytes
from services.conversation import metrics
from services.conversation.aggregates.conversations import Conversations, conversation_owner
from services.conversation.aggregates.customers import Customers, customer_owner
from services.conversation.aggregates.sent_messages import SentMessages
from services.conversation.anchors.writing import COMMIT_HEADER
from services.conversation.commands.case_numbers import COUNTERS, CaseNumbers
from services.conversation.consumers.customer_changes import CustomerChangeHandler
from services.conversation.consumers.customer_profiles import CustomerProfileProcess
from services.conversation.consumers.deliveries import DeliveryHandler
from services.conversation.consumers.early_deletions import EARLY_DELETIONS, EarlyDeletions
from services.conversation.consumers.inbound import InboundHandler
from services.conversation.consumers.inbound_commands import InboundCommands
from services.conversation.consumers.new_conversations import NewConversationHandler
from services.conversation.consumers.routing_commands import RoutingCommandHandler
from services.conversation.domain.aggregate import Aggregate
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.state import CustomerState
from services.conversation.domain.events import EVENTS
from services.conversation.privacy.erasure.erasures import Erasures
from services.conversation.privacy.keyring import Keyring
from services.conversation.privacy.sealed_store import COMMITS, SealedStore
from services.conversation.privacy.sealer import Sealer as PersonalSealer
from services.conversation.read_models.attachments import FILES
from services.conversation.read_models.customers.blocked import BlockedCustomers
from services.conversation.read_models.customers.rows import CUSTOMERS
from services.conversation.read_models.inbox.counts import Counts
from services.conversation.read_models.inbox.rows import INBOX
from services.conversation.read_models.messages.rows import MESSAGES
from services.conversation.read_models.time_travel.history import History
from services.conversation.read_models.time_travel.snapshots import HistoricalSnapshots
from services.conversation.settings import ConversationSettings


@dataclass(frozen=True, slots=True)
class Dependencies:
    """One of a process. ``handlers``: what each topic's batches go to;
    ``new_conversations``: what their first events do."""

    commits: AsyncEventStore
    keyring: Keyring
    store: SealedStore
    outbox: Outbox
    repository: AggregateRepository[ConversationState]
    handler: CommandHandler[ConversationState, Conversation]
    counts: Counts
    numbers: CaseNumbers
    customer_handler: CommandHandler[CustomerState, Customer]
    blocked: BlockedCustomers
    early: EarlyDeletions
    history: History
    handlers: dict[Topic, Handler]
    new_conversations: NewConversationHandler


def dependencies_of(
    settings: ConversationSettings,
    database: AsyncDatabase[Document],
    publisher: Publisher,
    directory: Directory,
    on_step: StepHook | None = None,
    *,
    mark_later: bool = True,
) -> Dependencies:
    """``on_step``: called after each step of the outbox, so that a test may stop there."""
    inbox, messages, customer_rows = database[INBOX], database[MESSAGES], database[CUSTOMERS]
    commits = AsyncEventStore(database[COMMITS])
    keyring = Keyring(
        database, key_bytes(settings.deployment_key), settings.conversation_cache_size
    )
    store = SealedStore(commits, keyring)

    projector = Projector()
    outbox = Outbox(
        commits,
        projector.project,
        partial(publish_messages, publisher),
        opens=store.decisions,
        on_step=on_step,
        settle=timedelta(seconds=settings.conversation_settle_seconds),
        mark_later=mark_later,
        commit_header=COMMIT_HEADER,
        is_own=is_own(SERVER_AWAY),
    )

    def repository_of[S](
        aggregate_type: AggregateType[S, Any],
    ) -> AggregateRepository[S]:
        made = AggregateRepository(aggregate_type, EVENTS, store, settings.conversation_cache_size)
        projector.add(aggregate_type, made)
        return made

    def handler_of[S, A: Aggregate[Any]](
        aggregate_type: AggregateType[S, A],
        repository: AggregateRepository[S],
        sealer: Sealer[A],
    ) -> CommandHandler[S, A]:
        return CommandHandler(
            aggregate_type,
            repository,
            EVENTS,
            store,
            outbox,
            again=Transient,
            appended=metrics.COMMITS,
            conflicts=metrics.CONFLICTS,
            sealer=sealer,
        )

    counts = Counts(inbox)
    historical_snapshots = HistoricalSnapshots(database, keyring)
    conversations = Conversations(
        inbox, messages, customer_rows, database[FILES], counts.wrote, historical_snapshots
    )
    sent_messages = SentMessages(messages)
    customers = Customers(customer_rows)
    repository = repository_of(conversations)
    sent_repository = repository_of(sent_messages)
    customer_repository = repository_of(customers)
    sealer: PersonalSealer[ConversationState, Conversation] = PersonalSealer(
        store, conversation_owner, conversations.workspace_of
    )
    customer_sealer: PersonalSealer[CustomerState, Customer] = PersonalSealer(
        store, customer_owner, customers.workspace_of
    )
    handler = handler_of(conversations, repository, sealer.prepare)
    sent_handler = handler_of(sent_messages, sent_repository, unsealed)
    customer_handler = handler_of(customers, customer_repository, customer_sealer.prepare)
    blocked = BlockedCustomers(customer_rows)
    numbers = CaseNumbers(database[COUNTERS])
    profiles = CustomerProfileProcess(handler, customer_rows, keyring, Erasures(database, keyring))
    early = EarlyDeletions(database[EARLY_DELETIONS])
    inbound_commands = InboundCommands(
        store, repository, messages, early, IdKey(key_bytes(settings.deployment_key))
    )
    handlers: dict[Topic, Handler] = {
        Topic.INBOUND: InboundHandler(handler, directory, inbound_commands, numbers, blocked),
        Topic.DELIVERY: DeliveryHandler(sent_handler, handler, conversations.find, store, messages),
        Topic.COMMANDS: RoutingCommandHandler(handler),
        Topic.CUSTOMER: CustomerChangeHandler(handler, customer_rows, profiles),
    }
    return Dependencies(
        commits,
        keyring,
        store,
        outbox,
        repository,
        handler,
        counts,
        numbers,
        customer_handler,
        blocked,
        early,
        History(store, historical_snapshots, messages),
        handlers,
        NewConversationHandler(profiles, customer_rows),
    )
