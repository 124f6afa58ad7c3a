"""Sending by the Bot API: a message's parts in order, at the platform's pace."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from libs.events.credentials import TelegramCredentials
from libs.events.outbound import OutboundRequested
from libs.runtime.away import SERVER_AWAY
from libs.runtime.storage import StorageAway
from services.ingest.channels.telegram import limits
from services.ingest.channels.telegram.api import BotApi, BotApiRefused, Upload
from services.ingest.channels.telegram.corrections import correct
from services.ingest.channels.telegram.moves import Moves
from services.ingest.channels.telegram.parts import Part, calls_of, parts_of
from services.ingest.channels.telegram.threads import Thread, quoting, read_thread, sent_as
from services.ingest.ports.platform import NoAnswer, NotReached, RateLimited
from services.ingest.ports.sending import (
    Correction,
    Failed,
    Later,
    Request,
    SendOutcome,
    Sent,
    Uncertain,
)
from services.ingest.sending.pace import Pace, Rate
from services.ingest.sources import OpenSource

CHAT_RATE: Final = Rate(limits.CHAT_PER_SECOND, limits.CHAT_BURST)
GROUP_RATE: Final = Rate(limits.GROUP_PER_SECOND, limits.CHAT_BURST)
BOT_RATE: Final = Rate(limits.BOT_PER_SECOND, limits.BOT_BURST)
# A file, or an album, is in memory while it is sent: at most so many at once.
_UPLOADS: Final = 2

# The bytes of an attachment of a workspace; None where it is not there.
ReadAttachment = Callable[[str, str], Awaitable[bytes | None]]


class TelegramSender:
    """A ``ChannelSender``."""

    def __init__(self, api: BotApi, read_attachment: ReadAttachment, moves: Moves) -> None:
        self._api = api
        self._moves = moves
        self._read = read_attachment
        self._pace = Pace(BOT_RATE)
        self._uploads = asyncio.Semaphore(_UPLOADS)

    async def ready(self, source: OpenSource[TelegramCredentials], request: Request) -> None:
        await self._slot(source, request)

    async def send(
        self,
        source: OpenSource[TelegramCredentials],
        request: OutboundRequested,
        done: tuple[str, ...],
    ) -> SendOutcome:
        try:
            thread = read_thread(request.thread)
        except ValueError:
            return _bad_thread()
        # Each message has an id, so what is done are the first parts; the others go on behind them,
        # in albums of their own.
        quoted = None if done else quoting(request.reply_to_external)
        left = parts_of(request.content)[len(done) :]
        for number, parts in enumerate(calls_of(left, albums=thread.kind != "ephemeral")):
            if number:
                await self._slot(source, request)
            fields = {"reply_parameters": quoted} if quoted and not number else {}
            outcome = await self._call(source, thread, parts, fields, done)
            if not isinstance(outcome, Sent):
                return outcome
            done = outcome.external_ids
        return Sent(done)

    async def correct(
        self, source: OpenSource[TelegramCredentials], request: Correction
    ) -> Sent | Failed | Later:
        try:
            thread = read_thread(request.thread)
            return await correct(self._api, source.credentials.bot_token, thread, request)
        except ValueError:
            return _bad_thread()
        except RateLimited as error:
            self._pace.block(source.id, error.retry_after)
            return Later("rate")

    async def _call(
        self,
        source: OpenSource[TelegramCredentials],
        thread: Thread,
        parts: Sequence[Part],
        fields: dict[str, Any],
        done: tuple[str, ...],
    ) -> SendOutcome:
        """A group that has become a supergroup is another chat: what was refused for that goes
        there."""
        chat_id = self._moves.present(source.id, thread.chat_id)
        moved_to = chat_id if chat_id != thread.chat_id else None
        addressed = fields | thread.address(chat_id)
        try:
            outcome = await self._send(source, parts, addressed, done, moved_to)
        except BotApiRefused as error:
            if error.migrated_to is None or moved_to is not None:
                return Failed(f"telegram-{error.code}", error.description, done)
            try:
                await self._moves.note(source.id, thread.chat_id, str(error.migrated_to))
            except SERVER_AWAY:
                return Later("network", done)
            return await self._call(source, thread, parts, fields, done)
        return outcome

    async def _send(
        self,
        source: OpenSource[TelegramCredentials],
        parts: Sequence[Part],
        fields: dict[str, Any],
        done: tuple[str, ...],
        moved_to: str | None,
    ) -> SendOutcome:
        """All of them with one call, which is taken or not as a whole. Errors: BotApiRefused."""
        token = source.credentials.bot_token
        try:
            if parts[0].attachment is None:
                results = await self._post(token, parts, fields, [])
            else:
                async with self._uploads:
                    uploads = await self._uploads_of(source, parts)
                    if len(uploads) < len(parts):
                        return Failed("no-attachment", "The attachment is not there any more", done)
                    results = await self._post(token, parts, fields, uploads)
            sent = [sent_as(result, moved_to) for result in results]
            named = [one for one in sent if one is not None]
            if len(named) < len(parts):
                raise NoAnswer("no message in it")
            return Sent((*done, *named))
        except StorageAway:
            return Later("network", done)
        except RateLimited as error:
            # Telegram does not say whether the chat or the bot is meant, and calls during the pause
            # may prolong it: the whole bot pauses.
            self._pace.block(source.id, error.retry_after)
            return Later("rate", done)
        except NotReached:
            return Later("network", done)
        except NoAnswer as error:
            return Uncertain("no-answer", f"Telegram gave no answer ({error})", done)

    async def _uploads_of(
        self, source: OpenSource[TelegramCredentials], parts: Sequence[Part]
    ) -> list[Upload]:
        """Of the files that are there. Errors: StorageAway."""
        uploads = []
        for part in parts:
            if (file := part.attachment) is None:
                continue
            content = await self._read(source.workspace_id, file.attachment_id)
            if content is not None:
                name = file.file_name or file.attachment_id
                uploads.append(Upload(part.form_field, name, file.media_type, content))
        return uploads

    async def _post(
        self, token: str, parts: Sequence[Part], fields: dict[str, Any], uploads: Sequence[Upload]
    ) -> list[Any]:
        """The messages that they have become. Errors: as of ``BotApi.call``."""
        if len(parts) == 1:
            return [await self._api.call(token, parts[0].method, parts[0].fields | fields, uploads)]
        named = [replace(one, field=f"file{number}") for number, one in enumerate(uploads)]
        media = [
            {"type": upload.field, "media": f"attach://{one.field}"}
            for upload, one in zip(uploads, named, strict=True)
        ]
        result = await self._api.call(token, "sendMediaGroup", fields | {"media": media}, named)
        return result if isinstance(result, list) else []

    async def _slot(self, source: OpenSource[TelegramCredentials], request: Request) -> None:
        try:
            chat = read_thread(request.thread).chat_id
        except ValueError:
            return
        # Groups have negative ids: https://core.telegram.org/bots/api#chat
        await self._pace.slot(source.id, chat, GROUP_RATE if chat.startswith("-") else CHAT_RATE)


def _bad_thread() -> Failed:
    return Failed("bad-thread", "The conversation's thread is not Telegram's")
