"""Publishing to Kafka: acknowledged by all replicas, with a bounded wait."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

import msgspec
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from faststream.kafka.publisher.usecase import DefaultPublisher

from libs.events.envelope import Envelope
from libs.runtime.away import ServerAway
from libs.runtime.metrics import PUBLISH_FAILURES
from libs.runtime.producer import LastingProducer, Sending
from libs.runtime.tracing import trace_headers

# How long a group waits for a member that says nothing before others get its partitions: what a
# killed process had in hand waits as long. The least that a broker takes unless it is told to. A
# member that was only slow costs a rebalance, which changes nothing: every handler may repeat.
GROUP_MEMBER: Final = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 1_500}

_FULL_FETCH_BYTES: Final = 256 * 1024
_TOPIC: Final = attrgetter("topic")


def patient(seconds: float) -> dict[str, int]:
    """A consumer's options by which the broker may hold messages back so long for others to join
    them. Where nobody waits for the effect it saves work on both sides."""
    return {"fetch_max_wait_ms": int(seconds * 1000), "fetch_min_bytes": _FULL_FETCH_BYTES}


class Unpublishable(Exception):
    """Kafka takes no such message, however often it is asked; others beside it may be there."""


class Undeclared(Exception):
    """The service does not say that it publishes on this topic."""


class PublishFailed(ServerAway):
    """Kafka did not acknowledge everything in time. Some of it may be there all the same."""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One Kafka message, ready to send. ``topic`` is without the namespace."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Position(msgspec.Struct, frozen=True, gc=False):
    """Where Kafka keeps a message."""

    partition: int
    offset: int


def outgoing(envelope: Envelope) -> Outgoing:
    """The Kafka message of an event, with the current trace unless it carries its own."""
    headers = envelope.headers()
    if "traceparent" not in envelope.extra:
        headers += [(name, value.encode()) for name, value in trace_headers().items()]
    return Outgoing(envelope.topic.value, envelope.key.encode(), envelope.encode(), headers)


class Handed(msgspec.Struct, frozen=True):
    """What goes through FastStream: messages of one topic as they are (bytes, and headers that may
    be there twice and need no text), and the publish that they are part of."""

    messages: Sequence[Outgoing]
    sending: Sending


class Publisher:
    """Returns when everything it was given is acknowledged.

    ``publishers`` are those that the service declares, by topic. ``timeout_seconds`` bounds the
    whole wait of one publish. What it has told to have failed may be there all the same: before all
    that comes later, or not at all once a broker has not taken it for the producer's patience.
    """

    def __init__(
        self,
        producer: LastingProducer,
        publishers: Mapping[str, DefaultPublisher],
        timeout_seconds: float,
    ) -> None:
        self._producer = producer
        self._publishers = publishers
        self._timeout = timeout_seconds

    async def begin_at_once(self) -> None:
        """Errors: KafkaError where no broker answers."""
        await self._producer.begin_at_once()

    async def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        """Positions in the order given. Errors: PublishFailed, Unpublishable."""
        if not messages:
            return []
        try:
            async with asyncio.timeout(self._timeout), self._producer.sending() as sending:
                # FastStream is asked once for those of one topic, which costs it 20 µs a time.
                for topic, some in itertools.groupby(messages, key=_TOPIC):
                    await self._through(topic).publish(Handed(list(some), sending), no_confirm=True)
                done = await sending.written()
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise Unpublishable(f"Kafka takes no such message: {error!r}") from error
        except (KafkaError, TimeoutError) as error:
            PUBLISH_FAILURES.inc()
            raise PublishFailed(f"Kafka did not acknowledge: {error!r}") from error
        return [Position(record.partition, record.offset) for record in done]

    def _through(self, topic: str) -> DefaultPublisher:
        declared = self._publishers.get(topic)
        if declared is None:
            raise Undeclared(f"nothing is declared to be published on {topic}")
        return declared

    async def check(self) -> None:
        """For readiness: publishing works. Errors: KafkaError, TimeoutError."""
        await self._producer.check()
