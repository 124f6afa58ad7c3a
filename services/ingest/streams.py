"""What ingest reads from Kafka and writes to it."""

from typing import Final

from libs.events.conversation.customer import AttachmentsErased, CustomerErased
from libs.events.inbound import InboundReceived
from libs.events.topics import Topic
from libs.runtime.streams import Publication, Streams, Subscription
from services.ingest.attachments.fetch import may_have_attachments

SENDING: Final = Subscription(
    group="ingest-sender",
    topics=(Topic.OUTBOUND,),
    description="The team's answers, edits and deletions go to the customer's platform.",
)
FILES: Final = Subscription(
    group="ingest-attachments",
    topics=(Topic.INBOUND,),
    description="The files of a message are fetched from its platform.",
    messages=(InboundReceived,),
    wanted=may_have_attachments,
    # Few at a time: a picture is in memory while it is fetched.
    max_batch=50,
    # A file is there before anybody has opened the conversation.
    patience_seconds=0.25,
    ordered=False,
)
ERASING: Final = Subscription(
    group="ingest-erasing",
    topics=(Topic.CONVERSATION,),
    description="A person was forgotten: what is kept of them here goes too.",
    messages=(CustomerErased, AttachmentsErased),
    ordered=False,
)
INBOUND: Final = Publication(
    topic=Topic.INBOUND, description="What customers wrote, edited and deleted."
)
DELIVERY: Final = Publication(
    topic=Topic.DELIVERY, description="What became of what the team sent."
)

STREAMS: Final = Streams(
    subscriptions=(SENDING, FILES, ERASING),
    publications=(INBOUND, DELIVERY),
    follows=(Topic.DIRECTORY, Topic.CONVERSATION),
)
