"""What the conversation service reads from Kafka and writes to it."""

from typing import Final

from libs.events.conversation.case import CaseOpened
from libs.events.conversation.message import MessageWithheld
from libs.events.topics import Topic
from libs.runtime.streams import Publication, Streams, Subscription
from services.conversation.consumers import search
from services.conversation.consumers.new_conversations import is_first

INBOUND: Final = Subscription(
    group="conversation-inbound",
    topics=(Topic.INBOUND,),
    description="A customer's message opens a case, or comes into the one that is open.",
)
DELIVERY: Final = Subscription(
    group="conversation-delivery",
    topics=(Topic.DELIVERY,),
    description="What became of a message is written beside it.",
    # Nobody waits at a screen for "sent": many receipts in one batch cost little more than one.
    linger_seconds=0.1,
)
COMMANDS: Final = Subscription(
    group="conversation-commands",
    topics=(Topic.COMMANDS,),
    description="A case that waits in routing goes where it is told.",
)
CUSTOMER: Final = Subscription(
    group="conversation-customer",
    topics=(Topic.CUSTOMER,),
    description="What is known of a customer is told in each of their conversations.",
)
# What this service wrote itself, read again for what is written behind.
SEARCH_ROWS: Final = Subscription(
    group="conversation-search",
    topics=(Topic.CONVERSATION, Topic.CUSTOMER),
    description="What was written, and what a conversation is called by, can be found.",
    messages=search.MESSAGES,
    # A batch is cheaper the more it has, and nobody looks for what they have just written.
    linger_seconds=0.3,
    patience_seconds=0.25,
    ordered=False,
)
BEGINNINGS: Final = Subscription(
    group="conversation-beginnings",
    topics=(Topic.CONVERSATION,),
    description="A conversation that begins is told what is known of its customer already.",
    messages=(CaseOpened, MessageWithheld),
    wanted=is_first,
    patience_seconds=0.25,
)
# Read by its headers alone, and its offsets wait until an anchor is written.
ANCHORS: Final = Subscription(
    group="conversation-anchors",
    topics=(Topic.CONVERSATION, Topic.CUSTOMER),
    description="The newest commit of each stream is anchored outside the database.",
    max_batch=2_000,
    # Nobody waits for an anchor, and few large fetches cost less than many small ones.
    patience_seconds=5,
)
EVENTS: Final = Publication(
    topic=Topic.CONVERSATION, description="Each fact of a case and of its messages."
)
CUSTOMERS: Final = Publication(topic=Topic.CUSTOMER, description="Each fact of a customer's card.")
OUTBOUND: Final = Publication(
    topic=Topic.OUTBOUND, description="What is to be sent, edited or deleted on a platform."
)

STREAMS: Final = Streams(
    subscriptions=(INBOUND, DELIVERY, COMMANDS, CUSTOMER, SEARCH_ROWS, BEGINNINGS, ANCHORS),
    publications=(EVENTS, CUSTOMERS, OUTBOUND),
    follows=(Topic.DIRECTORY, Topic.CONVERSATION),
)
