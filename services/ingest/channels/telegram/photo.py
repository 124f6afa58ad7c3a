"""The face of a chat: the customer's own photo, or a group's.

Source: https://core.telegram.org/bots/api#getchat and #chatphoto
"""

from typing import Final

import msgspec

from libs.events.credentials import TelegramCredentials
from services.ingest.channels.telegram.api import BotApi
from services.ingest.channels.telegram.threads import read_thread
from services.ingest.ports.files import FoundPhoto
from services.ingest.ports.platform import FileTooLarge, NoAnswer, PlatformRefused

# Telegram's small one is of 160 × 160 pixels, some 10 kB.
MAX_BYTES: Final = 1024 * 1024


class _ChatPhoto(msgspec.Struct, frozen=True):
    """``small_file_unique_id`` changes with the photo; ``small_file_id`` fetches it."""

    small_file_id: str
    small_file_unique_id: str


class _Chat(msgspec.Struct, frozen=True):
    photo: _ChatPhoto | None = None


class TelegramPhotos:
    """A ``PhotoSource``."""

    def __init__(self, api: BotApi) -> None:
        self._api = api

    async def find(self, credentials: TelegramCredentials, thread: str) -> FoundPhoto | None:
        if (chat_id := _face_of(thread)) is None:
            return None
        try:
            found = await self._api.call(credentials.bot_token, "getChat", {"chat_id": chat_id})
        except PlatformRefused:
            return None
        try:
            photo = msgspec.convert(found, _Chat).photo
        except msgspec.ValidationError as error:
            raise NoAnswer("not a chat") from error
        return FoundPhoto(photo.small_file_unique_id, photo.small_file_id) if photo else None

    async def fetch(self, credentials: TelegramCredentials, photo: FoundPhoto) -> bytes | None:
        try:
            return await self._api.fetch(credentials.bot_token, photo.reference, MAX_BYTES)
        except (PlatformRefused, FileTooLarge):
            return None


def _face_of(thread: str) -> str | None:
    try:
        return read_thread(thread).face
    except ValueError:
        return None
