"""Looking at what could not be understood, and sending it round again once it can."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.dead_letters import each_letter
from libs.runtime.kafka import Outgoing, Position
from libs.runtime.set_aside import ORIGIN, OURS, REASON, SET_ASIDE, is_marker, of_ours
from libs.runtime.settings import Settings

_WEBHOOK: Final = "webhook:"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``headers`` are the original message's; ``reason`` and ``origin`` say what happened.

    ``is_set_aside``: its group tries it again (``set_aside.py``), or has done so by now."""

    topic: Topic
    partition: int
    offset: int
    buried_at: datetime
    reason: str
    origin: str
    is_set_aside: bool
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class NotReplayable(Exception):
    """It never was a message of its topic, or is tried again otherwise."""


class NoSuchDeadLetter(Exception):
    """Nothing is kept at that position."""


async def dead_letters(settings: Settings, topic: Topic) -> AsyncIterator[DeadLetter]:
    """All of the topic's twin that Kafka still keeps, oldest first in each partition."""
    twin = settings.kafka_namespace + topic.dead_letter
    async for record in each_letter(settings.kafka, twin):
        ours = of_ours(record)
        if is_marker(ours):
            continue
        yield DeadLetter(
            topic=topic,
            partition=record.partition,
            offset=record.offset,
            buried_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
            reason=ours.get(REASON, ""),
            origin=ours.get(ORIGIN, ""),
            is_set_aside=SET_ASIDE in ours,
            key=record.key,
            value=record.value,
            headers=tuple(h for h in record.headers if not h[0].startswith(OURS)),
        )


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
    if letter.is_set_aside:
        raise NotReplayable(
            "its group keeps it, in order with what came after it: `parley set-aside retry`"
        )
    original = Outgoing(letter.topic.value, letter.key, letter.value, letter.headers)
    async with publishing(settings.kafka, settings.kafka_namespace) as publisher:
        return (await publisher.publish([original]))[0]
