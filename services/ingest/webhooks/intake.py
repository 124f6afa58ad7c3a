"""From a platform's delivery to Kafka: the same few steps for every channel.

No other service and no pydantic on this path: the directory in memory and Kafka. The last step is
that Kafka has it all, or the platform is told to come again.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import batched
from typing import Any, Final

from starlette.responses import Response

from libs.events.content import Channel
from libs.runtime.problems import Forbidden, NotFound, Problem, Unauthorized
from services.ingest.accept import Acceptor
from services.ingest.metrics import IGNORED, REFUSED, UNKNOWN_CONTENT
from services.ingest.ports.webhooks import Delivery, Handshake, Proved, Understood, Webhook
from services.ingest.sources import OpenSource, SourceBook
from services.ingest.webhooks.registrar import Registrar

# In which a person takes a new secret to where a platform is told of it by hand.
FORMER_HOLD_SECONDS: Final = 3600.0
# Of what one body brings at once: some hundred kilobytes at a time.
_AT_ONCE: Final = 200
# Others are counted by the kind of their problem.
_REASONS: Final[Mapping[type[Problem], str]] = {
    NotFound: "unknown-source",
    Unauthorized: "unsigned",
    Forbidden: "forged",
}


class Intake:
    """One channel's ``Hook``: answers 200 when Kafka has it or nothing is to be kept.

    Errors: 400 (it broke off), 401 (no proof), 403 (a wrong one), 404 (unknown source), 413, 503
    (the platform repeats).
    """

    def __init__(
        self,
        channel: Channel,
        webhook: Webhook[Any],
        handshake: Handshake[Any] | None,
        sources: SourceBook,
        acceptor: Acceptor,
        registrar: Registrar,
    ) -> None:
        self._channel = channel
        self._webhook = webhook
        self._handshake = handshake
        self._sources = sources
        self._acceptor = acceptor
        self._registrar = registrar

    async def deliver(self, delivery: Delivery) -> Response:
        """The answer to a POST."""
        with self._counting_refusals():
            source = self._sources.get(delivery.source_id, self._channel)
            raw = await self._webhook.proved_body(delivery, self.keys_of(source))
            answer = await self._take(Proved(source, raw, datetime.now(UTC)))
        return Response(answer, media_type=self._webhook.media_type)

    async def handshake(self, delivery: Delivery) -> Response | None:
        """The answer to a GET; None where the channel's platform does not ask."""
        if self._handshake is None:
            return None
        with self._counting_refusals():
            source = self._sources.get(delivery.source_id, self._channel)
            return await self._handshake.answer(delivery, self.keys_of(source))

    @contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        try:
            yield
        except Problem as refusal:
            REFUSED.labels(self._channel.value, _REASONS.get(type(refusal), refusal.kind)).inc()
            raise

    def keys_of(self, source: OpenSource[Any]) -> list[Any]:
        """The former ones too, until the platform was told of others; where nobody tells it but a
        person, for a while."""
        if source.former is None or self._registrar.is_told(source):
            return [source.credentials]
        is_over = time.monotonic() - source.replaced_at > FORMER_HOLD_SECONDS
        if is_over and not self._registrar.is_needed(self._channel):
            return [source.credentials]
        return [source.credentials, source.former]

    async def _take(self, proved: Proved[Any]) -> bytes:
        source = proved.source
        self._registrar.saw_update(source.id, proved.received_at)
        understood = await self._webhook.normalise(proved)
        for raw, reason in understood.unreadable:
            await self._acceptor.bury(self._channel, source.workspace_id, source.id, raw, reason)
        for events in batched(understood.events, _AT_ONCE):
            await self._acceptor.accept(source.workspace_id, events)
        self._count(understood)
        return self._webhook.taken if understood.answer is None else understood.answer

    def _count(self, understood: Understood) -> None:
        for kind in understood.ignored:
            IGNORED.labels(self._channel.value, kind).inc()
        if understood.unknown:
            UNKNOWN_CONTENT.labels(self._channel.value).inc(understood.unknown)
