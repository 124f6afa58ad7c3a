"""Publishing to Kafka: idempotent, acknowledged by all replicas, with a bounded wait."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from libs.events.envelope import Envelope
from libs.events.topics import DEAD_LETTER_MAX_BYTES
from libs.runtime.away import ServerAway
from libs.runtime.kafka_access import Kafka, client_options
from libs.runtime.metrics import PUBLISH_FAILURES
from libs.runtime.producer import LastingProducer
from libs.runtime.tracing import trace_headers

# How long a group waits for a member that says nothing before others get its partitions: what a
# killed process had in hand waits as long. The least that a broker takes unless it is told to. A
# member that was only slow costs a rebalance, which changes nothing: every handler may repeat.
GROUP_MEMBER: Final = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 1_500}

_FULL_FETCH_BYTES: Final = 256 * 1024


def patient(seconds: float) -> dict[str, int]:
    """A consumer's options by which the broker may hold messages back so long for others to join
    them. Where nobody waits for the effect it saves work on both sides."""
    return {"fetch_max_wait_ms": int(seconds * 1000), "fetch_min_bytes": _FULL_FETCH_BYTES}


class Unpublishable(Exception):
    """Kafka takes no such message, however often it is asked; others beside it may be there."""


class PublishFailed(ServerAway):
    """Kafka did not acknowledge everything in time. Some of it may be there all the same."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One Kafka message, ready to send. ``topic`` is without the namespace."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where Kafka keeps a message."""

    partition: int
    offset: int


def outgoing(envelope: Envelope) -> Outgoing:
    """The Kafka message of an event, with the current trace unless it carries its own."""
    headers = envelope.headers()
    if "traceparent" not in envelope.extra:
        headers += [(name, value.encode()) for name, value in trace_headers().items()]
    return Outgoing(envelope.topic.value, envelope.key.encode(), envelope.encode(), headers)


class Publisher:
    """A producer that returns when everything it was given is acknowledged.

    Use as an async context manager. ``timeout_seconds`` bounds the whole wait of one publish.
    What it has told to have failed may be there all the same: before all that comes later, or not
    at all once a broker has not taken it for ``request_timeout_seconds``.
    """

    def __init__(
        self,
        bootstrap_servers: Kafka,
        namespace: str,
        timeout_seconds: float = 10,
        *,
        request_timeout_seconds: float = 10,
    ) -> None:
        self._namespace = namespace
        self._timeout = timeout_seconds
        self._producer = LastingProducer(
            patience_seconds=request_timeout_seconds,
            **client_options(bootstrap_servers),
            acks="all",
            enable_idempotence=True,
            max_request_size=DEAD_LETTER_MAX_BYTES,
            request_timeout_ms=int(request_timeout_seconds * 1000),
        )

    async def __aenter__(self) -> Self:
        await self._producer.__aenter__()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._producer.__aexit__()

    async def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        """Positions in the order given. Errors: PublishFailed, Unpublishable."""
        if not messages:
            return []
        try:
            async with asyncio.timeout(self._timeout):
                done = await self._producer.send(
                    [
                        {
                            "topic": self._namespace + message.topic,
                            "value": message.value,
                            "key": message.key,
                            "headers": list(message.headers),
                        }
                        for message in messages
                    ]
                )
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise Unpublishable(f"Kafka takes no such message: {error!r}") from error
        except (KafkaError, TimeoutError) as error:
            PUBLISH_FAILURES.inc()
            raise PublishFailed(f"Kafka did not acknowledge: {error!r}") from error
        return [Position(record.partition, record.offset) for record in done]

    async def check(self) -> None:
        """For readiness: publishing works. Errors: KafkaError, TimeoutError."""
        await self._producer.check()
