"""Telegram's webhook: verified before it is read, read before it is believed.

No database, no other service and no pydantic on this path: the directory in memory and Kafka.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from libs.events.content import Channel
from libs.events.ids import IdKey
from libs.runtime.problems import Forbidden, NotFound, Problem, Unauthorized
from services.ingest.accept import Acceptor
from services.ingest.channels.telegram.limits import SECRET_HEADER, WEBHOOK_MAX_BYTES
from services.ingest.channels.telegram.updates import (
    Ignored,
    Unreadable,
    deletions,
    kind_of,
    normalise,
    read_update,
)
from services.ingest.hooks import Delivery, Hook
from services.ingest.metrics import IGNORED, REFUSED
from services.ingest.sources import OpenSource, SourceBook

_CHANNEL: Final = Channel.TELEGRAM
_SECRET_HEADER: Final = SECRET_HEADER.encode()
_TAKEN: Final = Response(b"{}", media_type="application/json")
# Others are counted by the kind of their problem.
_REASONS: Final[Mapping[type[Problem], str]] = {
    NotFound: "unknown-source",
    Unauthorized: "unsigned",
    Forbidden: "forged",
}


def telegram_hook(sources: SourceBook, acceptor: Acceptor, ids: IdKey) -> Hook:
    """200 when Kafka has it or nothing is to be kept.

    Errors: 400 (it broke off), 401 (no secret), 403 (a wrong one), 404 (unknown source), 413, 503
    (Telegram repeats).
    """

    async def hook(delivery: Delivery) -> Response:
        try:
            source = sources.get(delivery.source_id, _CHANNEL)
            _verify(delivery, source)
            await _take(await delivery.body(WEBHOOK_MAX_BYTES), source)
        except Problem as refusal:
            REFUSED.labels(_CHANNEL.value, _REASONS.get(type(refusal), refusal.kind)).inc()
            raise
        return _TAKEN

    async def _take(raw: bytes, source: OpenSource) -> None:
        received_at = datetime.now(UTC)
        try:
            update = read_update(raw)
        except Unreadable as error:
            await acceptor.bury(_CHANNEL, source.workspace_id, source.id, raw, str(error))
            return
        if update.deleted_business_messages is not None:
            gone = deletions(
                update.deleted_business_messages,
                source_id=source.id,
                ids=ids,
                received_at=received_at,
            )
            await acceptor.accept(source.workspace_id, gone)
            return
        event = normalise(
            update,
            source_id=source.id,
            account=source.state.account,
            ids=ids,
            received_at=received_at,
        )
        if isinstance(event, Ignored):
            kind = kind_of(raw) if event.kind == "other" else event.kind
            IGNORED.labels(_CHANNEL.value, kind).inc()
            return
        await acceptor.accept(source.workspace_id, [event])

    return hook


def _verify(delivery: Delivery, source: OpenSource) -> None:
    given = delivery.header(_SECRET_HEADER)
    if given is None:
        raise Unauthorized("the secret token is missing")
    expected = source.credentials.secret_token
    # Without a secret of ours nobody can prove anything.
    if not expected or not hmac.compare_digest(given, expected.encode()):
        raise Forbidden("the secret token is wrong")
