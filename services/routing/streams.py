"""What routing reads from Kafka and writes to it."""

from typing import Final

from libs.events.conversation.case import CaseOpened
from libs.events.topics import Topic
from libs.runtime.streams import Publication, Streams, Subscription

OPENED: Final = Subscription(
    group="routing-autoforward",
    topics=(Topic.CONVERSATION,),
    description="A case that waits in routing is told its group, or that there is none for it.",
    messages=(CaseOpened,),
    # A case waits unseen until it is routed, at most this much longer.
    patience_seconds=0.05,
    ordered=False,
)
COMMANDS: Final = Publication(
    topic=Topic.COMMANDS, description="Where a case goes that waits in routing."
)
DIRECTORY: Final = Publication(
    topic=Topic.DIRECTORY,
    description="The present state of each entry of the directory; none for what is gone.",
)

STREAMS: Final = Streams(
    subscriptions=(OPENED,),
    publications=(COMMANDS, DIRECTORY),
    follows=(Topic.DIRECTORY,),
)
