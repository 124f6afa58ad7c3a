"""The topics of Parley and how each is kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DAY_MS: Final = 24 * 60 * 60 * 1000


class Topic(StrEnum):
    """Every topic that carries facts or requests between the services."""

    INBOUND = "parley.inbound"
    OUTBOUND = "parley.outbound"
    DELIVERY = "parley.delivery"
    CONVERSATION = "parley.conversation"
    CUSTOMER = "parley.customer"
    COMMANDS = "parley.commands"
    DIRECTORY = "parley.directory"
    NOTIFICATION = "parley.notification"

    @property
    def dead_letter(self) -> str:
        """The twin that keeps, byte for byte, what could not be understood."""
        return f"{self.value}.dead"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is made. ``retention_ms`` is None where the topic is compacted.

    ``message_max_bytes`` None: what the broker allows by itself (1 MiB).
    """

    name: str
    partitions: int
    retention_ms: int | None
    message_max_bytes: int | None = None


# A conversation's events share a partition (the key is the conversation's id), so the number of
# partitions bounds how many replicas of a consumer can work side by side. The directory has one:
# its offset is the version that a reader of one's own write waits for.
_PARTITIONS: Final = {Topic.DIRECTORY: 1}
_DEFAULT_PARTITIONS: Final = 12
_RETENTION_DAYS: Final = {
    Topic.INBOUND: 7,
    Topic.OUTBOUND: 7,
    Topic.DELIVERY: 7,
    Topic.CONVERSATION: 7,
    Topic.CUSTOMER: 7,
    Topic.COMMANDS: 7,
    Topic.NOTIFICATION: 7,
}
_DEAD_LETTER_RETENTION_DAYS: Final = 30
# A dead letter is a message that was let in once, with some headers more.
DEAD_LETTER_MAX_BYTES: Final = 2 * 1024 * 1024


def topic_specs(topics: Iterable[Topic] = tuple(Topic)) -> list[TopicSpec]:
    """The topics with their dead-letter twins, as ``parley migrate`` makes them."""
    specs = []
    for topic in topics:
        days = _RETENTION_DAYS.get(topic)
        partitions = _PARTITIONS.get(topic, _DEFAULT_PARTITIONS)
        specs.append(TopicSpec(topic.value, partitions, days * DAY_MS if days else None))
        kept_ms = _DEAD_LETTER_RETENTION_DAYS * DAY_MS
        specs.append(TopicSpec(topic.dead_letter, 1, kept_ms, DEAD_LETTER_MAX_BYTES))
    return specs
