"""Telegram's webhook: verified before it is read, read before it is believed.

No database, no other service and no pydantic on this path: the directory in memory and Kafka.
"""

import hmac
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.events.content import Channel
from libs.events.ids import IdKey
from libs.runtime.http import read_limited
from libs.runtime.problems import Forbidden, NotFound, TooLarge, Unauthorized, Unavailable
from services.ingest.accept import Acceptor
from services.ingest.channels.telegram.limits import SECRET_HEADER, WEBHOOK_MAX_BYTES
from services.ingest.channels.telegram.updates import (
    Ignored,
    Unreadable,
    kind_of,
    normalise,
    read_update,
)
from services.ingest.metrics import IGNORED, REFUSED
from services.ingest.sources import OpenSource, SourceBook

_CHANNEL = Channel.TELEGRAM


def telegram_hook(sources: SourceBook, acceptor: Acceptor, ids: IdKey) -> Route:
    """``POST /hooks/telegram/{source_id}``: 200 when Kafka has it or nothing is to be kept.

    Errors: 401 (no secret), 403 (a wrong one), 404 (unknown source), 413, 503 (Telegram repeats).
    """

    async def hook(request: Request) -> Response:
        try:
            source = sources.get(request.path_params["source_id"], _CHANNEL)
            _verify(request, source)
            raw = await read_limited(request, WEBHOOK_MAX_BYTES)
            if raw is None:
                raise TooLarge(f"an update has at most {WEBHOOK_MAX_BYTES} bytes")
            await _take(raw, source)
        except (NotFound, Unauthorized, Forbidden, TooLarge, Unavailable) as refusal:
            REFUSED.labels(_CHANNEL.value, _REASONS[type(refusal)]).inc()
            return refusal.response()
        return Response(b"{}", media_type="application/json")

    async def _take(raw: bytes, source: OpenSource) -> None:
        received_at = datetime.now(UTC)
        try:
            update = read_update(raw)
        except Unreadable as error:
            await acceptor.bury(_CHANNEL, source.workspace_id, source.id, raw, str(error))
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

    return Route("/hooks/telegram/{source_id}", hook, methods=["POST"])


_REASONS: dict[type[Exception], str] = {
    NotFound: "unknown-source",
    Unauthorized: "unsigned",
    Forbidden: "forged",
    TooLarge: "too-large",
    Unavailable: "unavailable",
}


def _verify(request: Request, source: OpenSource) -> None:
    given = request.headers.get(SECRET_HEADER)
    if given is None:
        raise Unauthorized("the secret token is missing")
    expected = source.credentials.secret_token
    # Without a secret of ours nobody can prove anything.
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Forbidden("the secret token is wrong")
