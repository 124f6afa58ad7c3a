"""What analytics reads from Kafka. It publishes nothing but dead letters."""

from typing import Final

from libs.events.topics import Topic
from libs.runtime.streams import Streams, Subscription

FACTS: Final = Subscription(
    group="analytics",
    topics=(Topic.CONVERSATION,),
    description="Each fact of a case becomes rows in ClickHouse, one insert a table for a batch.",
    max_batch=5_000,
    # Little beside the flush interval, and most messages then come in few fetches.
    patience_seconds=0.25,
    ordered=False,
)

STREAMS: Final = Streams(subscriptions=(FACTS,), follows=(Topic.DIRECTORY,))
