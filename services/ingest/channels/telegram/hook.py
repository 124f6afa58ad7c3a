"""Telegram's webhook: verified before it is read, read before it is believed.

Source: https://core.telegram.org/bots/api#setwebhook (``secret_token``) and #update
"""

import hmac
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Final

import msgspec

from libs.events.credentials import TelegramCredentials
from libs.events.ids import IdKey
from libs.runtime.away import SERVER_AWAY
from libs.runtime.directory import Directory
from libs.runtime.problems import Forbidden, Unauthorized, Unavailable
from services.ingest.channels.telegram.limits import SECRET_HEADER, WEBHOOK_MAX_BYTES
from services.ingest.channels.telegram.moves import SUPERGROUP, Moves
from services.ingest.channels.telegram.normalise import (
    NOTHING,
    Ignored,
    Reader,
    chat_of,
    is_service,
    kind_of,
    message_of,
)
from services.ingest.channels.telegram.reading import Unreadable, plain, read_update
from services.ingest.channels.telegram.shapes import Chat, Update
from services.ingest.localization import TEXTS
from services.ingest.ports.webhooks import JSON, Delivery, Proved, Understood

_SECRET_HEADER: Final = SECRET_HEADER.encode()


class TelegramWebhook:
    """A ``Webhook``. The database is asked about supergroups alone, and rarely."""

    taken: ClassVar[bytes] = b"{}"
    media_type: ClassVar[str] = JSON

    def __init__(self, directory: Directory, moves: Moves, ids: IdKey) -> None:
        self._directory = directory
        self._moves = moves
        self._ids = ids

    async def proved_body(self, delivery: Delivery, keys: Sequence[TelegramCredentials]) -> bytes:
        given = delivery.header(_SECRET_HEADER)
        if given is None:
            raise Unauthorized("the secret token is missing")
        # Without a secret of ours nobody can prove anything.
        expected = [one.secret_token.encode() for one in keys if one.secret_token]
        if not any([hmac.compare_digest(given, one) for one in expected]):  # noqa: C419  # all of them
            raise Forbidden("the secret token is wrong")
        return await delivery.body(WEBHOOK_MAX_BYTES)

    async def normalise(self, proved: Proved[TelegramCredentials]) -> Understood:
        source, raw, received_at = proved.source, proved.raw, proved.received_at
        try:
            update = read_update(raw)
        except Unreadable as error:
            return Understood(unreadable=[(raw, str(error))])
        workspace = self._directory.of(source.workspace_id).workspace
        language = workspace.language if workspace else None
        reader = Reader(
            source.id, source.state.account, self._ids, partial(TEXTS.say, language=language)
        )
        if update.deleted_business_messages is not None:
            return Understood(reader.deletions(update.deleted_business_messages, received_at))
        origin = await self._origin(source.id, update)
        event, unknown = reader.message(update, received_at=received_at, origin=origin), 0
        if event is NOTHING:
            if is_service(plain(raw)):
                event = Ignored("service_message")
            else:
                unknown = 1
                event = reader.message(update, received_at=received_at, origin=origin, unnamed=True)
        if isinstance(event, Ignored):
            kind = kind_of(plain(raw)) if event.kind == "other" else event.kind
            return Understood(ignored=[kind], unknown=unknown)
        return Understood([event], unknown=unknown, answer=_answer(update))

    async def _origin(self, source_id: str, update: Update) -> str | None:
        """The group that the supergroup was. Errors: Unavailable."""
        chat = chat_of(update)
        found = message_of(update)
        message = found[1] if found else None
        moves = self._moves
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


def _may_have_been_a_group(chat: Chat) -> bool:
    return chat.type == SUPERGROUP and not chat.is_direct_messages


def _answer(update: Update) -> bytes | None:
    """A call of the Bot API may be the answer to an update, and this one has to be made: until
    then the pressed button shows that it waits. With a repeated update it is made again.

    Source: https://core.telegram.org/bots/api#making-requests-when-getting-updates
    """
    query = update.callback_query
    if query is None:
        return None
    return msgspec.json.encode({"method": "answerCallbackQuery", "callback_query_id": query.id})
