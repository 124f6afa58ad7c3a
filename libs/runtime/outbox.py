"""Between a commit's public messages, as the event store keeps them, and Kafka's."""

from collections.abc import Sequence

from libs.events.envelope import Envelope
from libs.events.registry import spec_of
from libs.eventstore.commits import PublicMessage
from libs.runtime.kafka import Outgoing, Publisher
from libs.runtime.tracing import trace_headers

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
    """Publish in order; the offset of the last (of use on a topic with one partition).

    Errors: PublishFailed.
    """
    positions = await publisher.publish([kafka_message(message) for message in messages])
    return positions[-1].offset
