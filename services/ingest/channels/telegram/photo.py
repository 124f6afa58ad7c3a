"""The face of a chat: the customer's own photo, or a group's.

Source: https://core.telegram.org/bots/api#getchat and #chatphoto
"""

from typing import Final

import msgspec

from services.ingest.channels.telegram import api

# Telegram's small one is of 160 × 160 pixels, some 10 kB.
MAX_BYTES: Final = 1024 * 1024


class ChatPhoto(msgspec.Struct, frozen=True):
    """``small_file_unique_id`` changes with the photo; ``small_file_id`` fetches it."""

    small_file_id: str
    small_file_unique_id: str


class _Chat(msgspec.Struct, frozen=True):
    photo: ChatPhoto | None = None


async def find_photo(bots: api.BotApi, token: str, chat_id: str) -> ChatPhoto | None:
    """None: there is none, or the bot may not see it. Errors: TooMany, NotReached, NoAnswer."""
    try:
        found = await bots.call(token, "getChat", {"chat_id": chat_id})
    except api.Refused:
        return None
    try:
        return msgspec.convert(found, _Chat).photo
    except msgspec.ValidationError as error:
        raise api.NoAnswer("not a chat") from error


async def fetch_photo(bots: api.BotApi, token: str, photo: ChatPhoto) -> bytes | None:
    """None: it was changed or taken away just now. Errors: TooMany, NotReached, NoAnswer."""
    try:
        return await bots.fetch(token, photo.small_file_id, MAX_BYTES)
    except api.Refused:
        return None
