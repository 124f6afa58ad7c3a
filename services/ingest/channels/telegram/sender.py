"""Sending by the Bot API: a message's parts in order, at the platform's pace."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from libs.events.channels import capabilities_of
from libs.events.content import Attachment, Channel, Content
from libs.events.credentials import TelegramCredentials
from libs.events.outbound import OutboundRequested
from libs.runtime.away import SERVER_AWAY
from libs.runtime.storage import StorageAway
from services.ingest.channels.telegram import limits
from services.ingest.channels.telegram.api import BotApi, BotRefused, Upload
from services.ingest.channels.telegram.buttons import keyboard_of
from services.ingest.channels.telegram.corrections import correct
from services.ingest.channels.telegram.moves import Moves
from services.ingest.channels.telegram.threads import Thread, quoting, read_thread, sent_as
from services.ingest.ports.platform import NoAnswer, NotReached, TooMany
from services.ingest.ports.sending import (
    Correction,
    Failed,
    Later,
    Outcome,
    Request,
    Sent,
    Uncertain,
)
from services.ingest.sending.pace import Pace, Rate
from services.ingest.sources import OpenSource

CHAT_RATE: Final = Rate(limits.CHAT_PER_SECOND, limits.CHAT_BURST)
GROUP_RATE: Final = Rate(limits.GROUP_PER_SECOND, limits.CHAT_BURST)
BOT_RATE: Final = Rate(limits.BOT_PER_SECOND, limits.BOT_BURST)
_CAN: Final = capabilities_of(Channel.TELEGRAM)
# A file is in memory while it is sent: at most so many at once.
_UPLOADS: Final = 2

# The bytes of an attachment of a workspace; None where it is not there.
ReadAttachment = Callable[[str, str], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class _Part:
    """One call. ``form_field`` and ``attachment``: what is uploaded with it."""

    method: str
    fields: dict[str, Any] = field(default_factory=dict)
    form_field: str = ""
    attachment: Attachment | None = None


class TelegramSender:
    """A ``Sender``."""

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
    ) -> Outcome:
        try:
            thread = read_thread(request.thread)
        except ValueError:
            return _bad_thread()
        parts = _parts(request.content)
        for index in range(len(done), len(parts)):
            if index > len(done):
                await self._slot(source, request)
            fields = dict(parts[index].fields)
            if index == 0 and (quoted := quoting(request.reply_to_external)) is not None:
                fields["reply_parameters"] = quoted
            outcome = await self._call(source, thread, parts[index], fields, done)
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
        except TooMany as error:
            self._pace.block(source.id, error.retry_after)
            return Later("rate")

    async def _call(
        self,
        source: OpenSource[TelegramCredentials],
        thread: Thread,
        part: _Part,
        fields: dict[str, Any],
        done: tuple[str, ...],
    ) -> Outcome:
        """A group that has become a supergroup is another chat: what was refused for that goes
        there."""
        chat_id = self._moves.present(source.id, thread.chat_id)
        moved_to = chat_id if chat_id != thread.chat_id else None
        addressed = fields | thread.address(chat_id)
        try:
            outcome = await self._part(source, part, addressed, done, moved_to)
        except BotRefused as error:
            if error.migrated_to is None or moved_to is not None:
                return Failed(f"telegram-{error.code}", error.description, done)
            try:
                await self._moves.note(source.id, thread.chat_id, str(error.migrated_to))
            except SERVER_AWAY:
                return Later("network", done)
            return await self._call(source, thread, part, fields, done)
        return outcome

    async def _part(
        self,
        source: OpenSource[TelegramCredentials],
        part: _Part,
        fields: dict[str, Any],
        done: tuple[str, ...],
        moved_to: str | None,
    ) -> Outcome:
        """Errors: BotRefused."""
        token = source.credentials.bot_token
        try:
            if part.attachment is None:
                result = await self._api.call(token, part.method, fields)
            else:
                async with self._uploads:
                    content = await self._read(source.workspace_id, part.attachment.attachment_id)
                    if content is None:
                        return Failed("no-attachment", "The attachment is not there any more", done)
                    upload = Upload(
                        part.form_field,
                        part.attachment.file_name or part.attachment.attachment_id,
                        part.attachment.media_type,
                        content,
                    )
                    result = await self._api.call(token, part.method, fields, upload)
            if (sent := sent_as(result, moved_to)) is None:
                raise NoAnswer("no message in it")
            return Sent((*done, sent))
        except StorageAway:
            return Later("network", done)
        except TooMany as error:
            # Telegram does not say whether the chat or the bot is meant, and calls during the pause
            # may prolong it: the whole bot pauses.
            self._pace.block(source.id, error.retry_after)
            return Later("rate", done)
        except NotReached:
            return Later("network", done)
        except NoAnswer as error:
            return Uncertain("no-answer", f"Telegram gave no answer ({error})", done)

    async def _slot(self, source: OpenSource[TelegramCredentials], request: Request) -> None:
        try:
            chat = read_thread(request.thread).chat_id
        except ValueError:
            return
        # Groups have negative ids: https://core.telegram.org/bots/api#chat
        await self._pace.slot(source.id, chat, GROUP_RATE if chat.startswith("-") else CHAT_RATE)


def _bad_thread() -> Failed:
    return Failed("bad-thread", "The conversation's thread is not Telegram's")


def _parts(content: Content) -> list[_Part]:
    """Text goes as the caption of a single file where it fits, else before the files."""
    caption = ""
    if len(content.attachments) == 1 and len(content.text) <= _CAN.text.caption:
        caption = content.text
    parts = []
    if content.text and not caption:
        parts.append(_Part("sendMessage", {"text": content.text}))
    for attachment in content.attachments:
        method, form_field = (
            ("sendPhoto", "photo") if attachment.kind == "image" else ("sendDocument", "document")
        )
        fields = {"caption": caption} if caption else {}
        parts.append(_Part(method, fields, form_field, attachment))
    if content.point is not None:
        point = {"latitude": content.point.latitude, "longitude": content.point.longitude}
        parts.append(_Part("sendLocation", point))
    if parts and (keyboard := keyboard_of(content)):
        # Under what is read last.
        parts[-1].fields["reply_markup"] = keyboard
    return parts
