"""Reads the events for the live sockets: in every process, all of them."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from libs.events.envelope import InvalidEnvelope, read_envelope, sequence_in
from libs.events.registry import InvalidBody, UnknownType
from libs.events.topics import Topic
from libs.runtime.follower import Follower, Offsets
from libs.runtime.kafka_access import Kafka
from libs.runtime.metrics import DEAD_LETTERS
from libs.runtime.streams import Partition, Record
from services.gateway.live.hub import Hub
from services.gateway.live.positions import Positions

log = structlog.get_logger()

TOPICS: Final = (Topic.CONVERSATION, Topic.NOTIFICATION)
# A process reads a little of what was before it, so that sockets go on where they were when their
# replica was replaced, and so that a repeat of what was just shown is known as one.
MESSAGES_BEFORE: Final = 200


class Feed:
    """``run`` goes to the runtime's tasks and ``check`` to its readiness."""

    def __init__(self, hub: Hub, *, bootstrap_servers: Kafka, namespace: str) -> None:
        self._hub = hub
        self._topics = {namespace + topic.value: topic for topic in TOPICS}
        self._positions = Positions(())
        self._follower = Follower(
            "live",
            TOPICS,
            self._take,
            began=self._begin,
            moved=hub.moved,
            before=MESSAGES_BEFORE,
            bootstrap_servers=bootstrap_servers,
            namespace=namespace,
        )

    async def check(self) -> None:
        """For readiness. Errors: Unavailable."""
        await self._follower.check()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        await self._follower.run(stop)

    def _begin(self, offsets: Offsets) -> None:
        partitions = [sum(at.topic == name for at in offsets) for name in self._topics]
        self._positions = Positions(partitions)
        for partition, offset in offsets.items():
            self._positions.move(self._place(partition), offset)
        self._hub.begin(self._positions)

    def _place(self, partition: Partition) -> int:
        return self._positions.place(list(self._topics).index(partition.topic), partition.partition)

    def _take(self, record: Record) -> None:
        place = self._place(Partition(record.topic, record.partition))
        self._positions.move(place, record.offset + 1)
        value = record.value or b""
        try:
            envelope = read_envelope(record.key, record.headers, value)
        except (InvalidEnvelope, InvalidBody, UnknownType) as error:
            topic = self._topics[record.topic]
            DEAD_LETTERS.labels(topic.value, "live").inc()
            log.error("event not understood", offset=record.offset, error=str(error))
            self._skip(record)
            return
        self._hub.take(envelope, place, record.offset, len(value))

    def _skip(self, record: Record) -> None:
        headers = {name: (text or b"").decode("utf-8", "replace") for name, text in record.headers}
        with suppress(InvalidEnvelope):
            sequence = sequence_in(record.headers)
            if sequence and "ce_workspace" in headers:
                self._hub.skip(headers["ce_workspace"], headers.get("ce_subject", ""), sequence)
