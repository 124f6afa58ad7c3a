"""Telegram's webhook: verified before it is read, read before it is believed.

No other service and no pydantic on this path: the directory in memory and Kafka. The database is
asked about supergroups alone, and rarely.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import batched
from typing import Final

import msgspec
from starlette.responses import Response

from libs.events.content import Channel
from libs.events.ids import IdKey
from libs.runtime.away import SERVER_AWAY
from libs.runtime.directory import Directory
from libs.runtime.problems import Forbidden, NotFound, Problem, Unauthorized, Unavailable
from services.ingest.channels.telegram.limits import SECRET_HEADER, WEBHOOK_MAX_BYTES
from services.ingest.channels.telegram.moves import SUPERGROUP, Moves
from services.ingest.channels.telegram.reading import Unreadable, plain, read_update
from services.ingest.channels.telegram.shapes import Chat, Update
from services.ingest.channels.telegram.updates import (
    NOTHING,
    Ignored,
    Reader,
    chat_of,
    is_service,
    kind_of,
    message_of,
)
from services.ingest.localization import TEXTS
from services.ingest.metrics import IGNORED, REFUSED, UNKNOWN_CONTENT
from services.ingest.sources import OpenSource, SourceBook
from services.ingest.webhooks.accept import Acceptor
from services.ingest.webhooks.registrar import Registrar
from services.ingest.webhooks.router import Delivery, Hook

_CHANNEL: Final = Channel.TELEGRAM
_SECRET_HEADER: Final = SECRET_HEADER.encode()
_TAKEN: Final = b"{}"
# Of what was deleted at once: some hundred kilobytes at a time.
_CHUNKS: Final = 200
# Others are counted by the kind of their problem.
_REASONS: Final[Mapping[type[Problem], str]] = {
    NotFound: "unknown-source",
    Unauthorized: "unsigned",
    Forbidden: "forged",
}


def telegram_hook(
    sources: SourceBook,
    directory: Directory,
    acceptor: Acceptor,
    moves: Moves,
    registrar: Registrar,
    ids: IdKey,
) -> Hook:
    """200 when Kafka has it or nothing is to be kept.

    Errors: 400 (it broke off), 401 (no secret), 403 (a wrong one), 404 (unknown source), 413, 503
    (Telegram repeats).
    """

    async def hook(delivery: Delivery) -> Response:
        try:
            source = sources.get(delivery.source_id, _CHANNEL)
            _verify(delivery, source, is_told=registrar.is_told(source))
            answer = await _take(await delivery.body(WEBHOOK_MAX_BYTES), source)
        except Problem as refusal:
            REFUSED.labels(_CHANNEL.value, _REASONS.get(type(refusal), refusal.kind)).inc()
            raise
        return Response(answer, media_type="application/json")

    async def _take(raw: bytes, source: OpenSource) -> bytes:
        received_at = datetime.now(UTC)
        registrar.saw_update(source.id, received_at)
        try:
            update = read_update(raw)
        except Unreadable as error:
            await acceptor.bury(_CHANNEL, source.workspace_id, source.id, raw, str(error))
            return _TAKEN
        workspace = directory.of(source.workspace_id).workspace
        language = workspace.language if workspace else None
        say = partial(TEXTS.say, language=language)
        reader = Reader(source.id, source.state.account, ids, say)
        if update.deleted_business_messages is not None:
            gone = reader.deletions(update.deleted_business_messages, received_at)
            for some in batched(gone, _CHUNKS):
                await acceptor.accept(source.workspace_id, some)
            return _TAKEN
        origin = await _origin(source.id, update)
        event = reader.message(update, received_at=received_at, origin=origin)
        if event is NOTHING:
            if is_service(plain(raw)):
                event = Ignored("service_message")
            else:
                UNKNOWN_CONTENT.labels(_CHANNEL.value).inc()
                event = reader.message(update, received_at=received_at, origin=origin, unnamed=True)
        if isinstance(event, Ignored):
            kind = kind_of(plain(raw)) if event.kind == "other" else event.kind
            IGNORED.labels(_CHANNEL.value, kind).inc()
            return _TAKEN
        await acceptor.accept(source.workspace_id, [event])
        return _answer(update)

    async def _origin(source_id: str, update: Update) -> str | None:
        """The group that the supergroup was. Errors: Unavailable."""
        chat = chat_of(update)
        found = message_of(update)
        message = found[1] if found else None
        try:
            if message is not None and message.migrate_to_chat_id is not None:
                new = str(message.migrate_to_chat_id)
                await moves.note(source_id, str(message.chat.id), new)
            elif message is not None and message.migrate_from_chat_id is not None:
                await moves.note(source_id, str(message.migrate_from_chat_id), str(message.chat.id))
            if chat is not None and _may_have_been_a_group(chat):
                return await moves.origin(source_id, str(chat.id))
        except SERVER_AWAY as error:
            raise Unavailable from error
        return None

    return hook


def _may_have_been_a_group(chat: Chat) -> bool:
    return chat.type == SUPERGROUP and not chat.is_direct_messages


def _answer(update: Update) -> bytes:
    """A call of the Bot API may be the answer to an update, and this one has to be made: until
    then the pressed button shows that it waits. With a repeated update it is made again.

    Source: https://core.telegram.org/bots/api#making-requests-when-getting-updates
    """
    query = update.callback_query
    if query is None:
        return _TAKEN
    return msgspec.json.encode({"method": "answerCallbackQuery", "callback_query_id": query.id})


def _verify(delivery: Delivery, source: OpenSource, *, is_told: bool) -> None:
    given = delivery.header(_SECRET_HEADER)
    if given is None:
        raise Unauthorized("the secret token is missing")
    expected = source.credentials.secret_token
    # Without a secret of ours nobody can prove anything.
    if expected and hmac.compare_digest(given, expected.encode()):
        return
    # Until Telegram was told of another it sends the former.
    former = source.former_secret
    if is_told or not former or not hmac.compare_digest(given, former.encode()):
        raise Forbidden("the secret token is wrong")
