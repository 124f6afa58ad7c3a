"""What the gateway reads from Kafka. It publishes nothing."""

from typing import Final

from libs.events.topics import Topic
from libs.runtime.streams import Streams

STREAMS: Final = Streams(follows=(Topic.DIRECTORY, Topic.CONVERSATION, Topic.NOTIFICATION))
