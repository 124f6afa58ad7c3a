"""The face of a chat: the customer's own photo, or a group's.

Source: https://core.telegram.org/bots/api#getchat and #chatphoto
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from services.ingest.channels.telegram import api

# Telegram's small one is of 160 × 160 pixels, some 10 kB.
MAX_BYTES: Final = 1024 * 1024


class _ChatPhoto(msgspec.Struct, frozen=True):
    small_file_id: str
    small_file_unique_id: str


class _Chat(msgspec.Struct, frozen=True):
    photo: _ChatPhoto | None = None


@dataclass(frozen=True, slots=True)
class PhotoHandle:
    """``version`` changes with the photo; ``file_id`` fetches it."""

    version: str
    file_id: str


async def find_photo(bots: api.BotApi, token: str, chat_id: str) -> PhotoHandle | None:
    """None: there is none, or the bot may not see it. Errors: TooMany, NotReached, NoAnswer."""
    try:
        found = await bots.call(token, "getChat", {"chat_id": chat_id})
    except api.Refused:
        return None
    try:
        photo = msgspec.convert(found, _Chat).photo
    except msgspec.ValidationError as error:
        raise api.NoAnswer("not a chat") from error
    return PhotoHandle(photo.small_file_unique_id, photo.small_file_id) if photo else None


async def fetch_photo(bots: api.BotApi, token: str, photo: PhotoHandle) -> bytes | None:
    """None: it was changed or taken away just now. Errors: TooMany, NotReached, NoAnswer."""
    try:
        return await bots.fetch(token, photo.file_id, MAX_BYTES)
    except api.Refused:
        return None
