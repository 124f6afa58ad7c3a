"""What a service reads from Kafka and writes to it, as it declares it: plain values, made without a
server, from which ``broker.py`` makes subscribers and publishers, and the tools the document."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache

from aiokafka import ConsumerRecord, TopicPartition

from libs.events.registry import Body, all_types, family_of, spec_of
from libs.events.topics import Topic

type Record = ConsumerRecord[bytes, bytes]
Partition = TopicPartition
Wanted = Callable[[Record], bool]


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What one consumer group reads, and how its batches are fetched.

    ``group`` and ``topics`` are without the namespace; ``description`` is a sentence.
    ``messages``: the types that the handler applies, and all others are left unread; none named:
    every type of the topics, and what is not known here waits for a newer process.
    ``wanted`` tells before a record is decoded whether the handler has a use for it, where that is
    less than ``messages``. What is not wanted counts as consumed, unread, and is never a dead
    letter of this group.
    ``patience_seconds`` is how long the broker may hold a message back for others to join it. Where
    nobody waits for the effect it saves work on both sides: at 100 messages/s with 0.25 s a
    consumer costs a third, and all of the suite a quarter less.
    ``linger_seconds`` is a pause after each batch, for a store that prefers few and large ones: the
    next holds what has come in the meantime.
    ``ordered``: an effect may depend on the messages before it of the same key, so where one of
    them is set aside, those behind it wait with it.
    """

    group: str
    topics: tuple[Topic, ...]
    description: str
    messages: tuple[type[Body], ...] = ()
    wanted: Wanted | None = None
    max_batch: int = 500
    linger_seconds: float = 0
    patience_seconds: float = 0
    ordered: bool = True

    @property
    def bodies(self) -> tuple[type[Body], ...]:
        """The types that it applies, by name."""
        return self.messages or bodies_of(self.topics)

    @property
    def filter(self) -> Wanted | None:
        """None: every record is wanted."""
        return self.wanted or (of_types(*self.messages) if self.messages else None)


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What a service publishes on one topic. ``messages``: none named is every type of it."""

    topic: Topic
    description: str
    messages: tuple[type[Body], ...] = ()

    @property
    def bodies(self) -> tuple[type[Body], ...]:
        """The types that are published, by name."""
        return self.messages or bodies_of((self.topic,))


@dataclass(frozen=True, kw_only=True)
class Streams:
    """All of one service. ``follows``: what each of its processes reads whole, without a group."""

    subscriptions: tuple[Subscription, ...] = ()
    publications: tuple[Publication, ...] = ()
    follows: tuple[Topic, ...] = ()


def bodies_of(topics: Collection[Topic]) -> tuple[type[Body], ...]:
    """Every type of these topics, by name."""
    return tuple(spec.body for spec in all_types() if spec.topic in topics)


def of_types(*bodies: type[Body]) -> Wanted:
    """Wants the records of these public types, by their header alone, whatever their version.

    What says no type is wanted too, so that it becomes a dead letter like all that is malformed.
    """
    families = {family_of(spec_of(body).name) for body in bodies}

    @lru_cache(1_024)
    def is_wanted(given: bytes) -> bool:
        return family_of(given.decode("utf-8", "replace")) in families

    def wanted(record: Record) -> bool:
        given = next((value for name, value in record.headers if name == "ce_type"), None)
        return given is None or is_wanted(given)

    return wanted
