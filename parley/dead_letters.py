"""Looking at what could not be understood, and sending it round again once it can."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer

from libs.events.topics import Topic
from libs.runtime.kafka import Outgoing, Position, Publisher
from libs.runtime.settings import Settings

_POLL_MS: Final = 2000
_OURS: Final = "parley_dead_"
_WEBHOOK: Final = "webhook:"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``headers`` are the original message's; ``reason`` and ``origin`` say what happened."""

    topic: Topic
    partition: int
    offset: int
    buried_at: datetime
    reason: str
    origin: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class NotReplayable(Exception):
    """It never was a message of its topic."""


class NoSuchDeadLetter(Exception):
    """Nothing is kept at that position."""


async def dead_letters(settings: Settings, topic: Topic) -> AsyncIterator[DeadLetter]:
    """All of the topic's twin that Kafka still keeps, oldest first in each partition."""
    # Without a group, the client takes all of the topic's partitions.
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        settings.kafka_namespace + topic.dead_letter,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                fetched = await consumer.getmany(partition, timeout_ms=_POLL_MS)
                for record in fetched.get(partition, []):
                    ours = {n: v.decode() for n, v in record.headers if n.startswith(_OURS)}
                    yield DeadLetter(
                        topic=topic,
                        partition=record.partition,
                        offset=record.offset,
                        buried_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
                        reason=ours.get("parley_dead_reason", ""),
                        origin=ours.get("parley_dead_origin", ""),
                        key=record.key,
                        value=record.value,
                        headers=tuple(h for h in record.headers if not h[0].startswith(_OURS)),
                    )
    finally:
        await consumer.stop()


async def dead_letter_at(
    settings: Settings, topic: Topic, partition: int, offset: int
) -> DeadLetter:
    """Errors: NoSuchDeadLetter."""
    async for letter in dead_letters(settings, topic):
        if (letter.partition, letter.offset) == (partition, offset):
            return letter
    raise NoSuchDeadLetter(f"{topic.dead_letter} keeps nothing at {partition}:{offset}")


async def replay(settings: Settings, letter: DeadLetter) -> Position:
    """Put the original back on its topic, with its own key, bytes and headers.

    Errors: NotReplayable, PublishFailed.
    """
    if letter.origin.startswith(_WEBHOOK):
        raise NotReplayable(
            f"this is the body of a webhook ({letter.origin}), which was never a message of "
            f"{letter.topic.value}: look at it with `parley dlq show`"
        )
    original = Outgoing(letter.topic.value, letter.key, letter.value, letter.headers)
    async with Publisher(settings.kafka_bootstrap_servers, settings.kafka_namespace) as publisher:
        return (await publisher.publish([original]))[0]
