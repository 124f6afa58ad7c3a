"""The last step of every webhook: Kafka has it, or the platform is told to come again."""

from collections.abc import Sequence
from typing import Final

import structlog

from libs.events.content import Channel
from libs.events.envelope import Envelope
from libs.events.inbound import InboundReceived
from libs.events.topics import Topic
from libs.runtime.kafka import Outgoing, Publisher, PublishFailed, outgoing
from libs.runtime.metrics import DEAD_LETTERS
from libs.runtime.problems import Unavailable
from services.ingest.metrics import ACCEPTED, UNREADABLE
from services.ingest.ports.events import EVENT_SOURCE
from services.ingest.ports.webhooks import Inbound

log = structlog.get_logger()

_GROUP: Final = "ingest-webhook"


def inbound_envelope(workspace_id: str, body: Inbound) -> Envelope:
    """The cause is the event's id too: a repeated webhook is the same event again."""
    return Envelope(
        id=body.cause,
        source=EVENT_SOURCE,
        subject=body.conversation_id,
        key=body.conversation_id,
        workspace_id=workspace_id,
        sequence=0,
        time=body.occurred_at,
        body=body,
    )


class Acceptor:
    """``publisher``'s timeout bounds the platform's wait."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def accept(self, workspace_id: str, bodies: Sequence[Inbound]) -> None:
        """Return when Kafka acknowledged all. Errors: Unavailable."""
        await self._publish([outgoing(inbound_envelope(workspace_id, body)) for body in bodies])
        for body in bodies:
            kind = body.kind if isinstance(body, InboundReceived) else "deletion"
            ACCEPTED.labels(body.channel.value, kind).inc()

    async def bury(
        self, channel: Channel, workspace_id: str, source_id: str, raw: bytes, reason: str
    ) -> None:
        """Keep, byte for byte, what a verified platform sent and nobody can read: a platform must
        not repeat it for ever. ``reason`` holds no personal data. Errors: Unavailable.
        """
        headers = {
            "ce_workspace": workspace_id,
            "parley_dead_reason": reason,
            "parley_dead_group": _GROUP,
            "parley_dead_origin": f"webhook:{channel.value}:{source_id}",
        }
        letter = Outgoing(
            Topic.INBOUND.dead_letter,
            source_id.encode(),
            raw,
            [(name, value.encode()) for name, value in headers.items()],
        )
        await self._publish([letter])
        UNREADABLE.labels(channel.value).inc()
        DEAD_LETTERS.labels(Topic.INBOUND.value, _GROUP).inc()
        log.error("dead letter", channel=channel.value, source=source_id, reason=reason)

    async def _publish(self, messages: Sequence[Outgoing]) -> None:
        try:
            await self._publisher.publish(messages)
        except PublishFailed as error:
            raise Unavailable("Kafka did not acknowledge in time") from error
