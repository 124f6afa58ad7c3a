"""Between a commit's public messages, as the event store keeps them, and Kafka's; and what the
event store has set aside."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from libs.events.envelope import Envelope
from libs.events.registry import spec_of
from libs.eventstore.commits import PublicMessage
from libs.eventstore.store import AsyncEventStore
from libs.runtime.away import SERVER_AWAY
from libs.runtime.kafka import Outgoing, Publisher
from libs.runtime.metrics import SET_ASIDE_STREAMS
from libs.runtime.mongo import refused_whoever_asks
from libs.runtime.stopping import stopped_within
from libs.runtime.tracing import trace_headers

log = structlog.get_logger()

_LOOK_SECONDS: Final = 5.0
# Those that the message's own fields say; the others are kept beside them.
_FROM_FIELDS = frozenset({"ce_type", "ce_id", "ce_subject", "ce_sequence", "ce_time"})


def public_message(envelope: Envelope, *, tombstone: bool = False) -> PublicMessage:
    """The message of an event, to be kept in the commit that gives rise to it.

    ``tombstone``: the thing of ``envelope.body`` is gone; the message has its headers and no body.
    """
    spec = spec_of(envelope.body)
    headers = {
        name: value.decode() for name, value in envelope.headers() if name not in _FROM_FIELDS
    }
    return PublicMessage(
        topic=spec.topic.value,
        type=spec.name,
        id=envelope.id,
        key=envelope.key,
        subject=envelope.subject,
        sequence=envelope.sequence,
        time=envelope.time,
        headers={**trace_headers(), **headers},
        data=b"" if tombstone else envelope.encode(),
    )


def kafka_message(message: PublicMessage) -> Outgoing:
    """What goes to Kafka: CloudEvents headers, and no value at all for a tombstone."""
    headers = {
        **message.headers,
        "ce_type": message.type,
        "ce_id": message.id,
        "ce_subject": message.subject,
        "ce_sequence": str(message.sequence),
        "ce_time": message.time.isoformat(),
    }
    return Outgoing(
        message.topic,
        message.key.encode(),
        message.data or None,
        [(name, value.encode()) for name, value in headers.items()],
    )


async def publish_messages(publisher: Publisher, messages: Sequence[PublicMessage]) -> int:
    """Publish in order; the offset of the last (of use on a topic with one partition), -1 of none.

    Errors: PublishFailed.
    """
    positions = await publisher.publish([kafka_message(message) for message in messages])
    return positions[-1].offset if positions else -1


def is_own(passing: tuple[type[Exception], ...]) -> Callable[[Exception], bool]:
    """For the outbox: whether a failure may be one commit's own, where these are the servers'."""
    return lambda error: not isinstance(error, passing) and not refused_whoever_asks(error)


class SetAsideStreams:
    """The streams of one store that are set aside, as they were a moment ago. ``run`` goes to the
    runtime's tasks. ``unreadable``: those that are set aside in this process alone, because it
    cannot read their events."""

    def __init__(
        self,
        store: AsyncEventStore,
        collection: str,
        unreadable: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._store = store
        self._unreadable = unreadable
        self._collection = collection
        self._streams: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                stored = await self._store.streams_set_aside()
                self._streams = {**self._unreadable(), **stored}
                SET_ASIDE_STREAMS.labels(self._collection).set(len(self._streams))
            except SERVER_AWAY as error:
                log.warning("not known what is set aside", error=type(error).__name__)
            await stopped_within(stop, _LOOK_SECONDS)

    def told(self) -> dict[str, str]:
        """For ``/readyz``: each of them, and why."""
        return self._streams
