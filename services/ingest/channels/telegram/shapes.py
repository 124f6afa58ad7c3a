"""The parts of the Bot API's objects that ingest reads. Unknown fields are skipped unread.

Source: https://core.telegram.org/bots/api#available-types
"""

from typing import Any

import msgspec


class User(msgspec.Struct, frozen=True):
    id: int
    first_name: str = ""
    last_name: str = ""
    username: str | None = None
    language_code: str | None = None


class Chat(msgspec.Struct, frozen=True):
    """``type``: private, group, supergroup or channel."""

    id: int
    type: str
    title: str = ""


class File(msgspec.Struct, frozen=True):
    """Photo size, document, voice, video, audio, animation, video note or sticker.

    ``file_unique_id`` names the file for ever, ``file_id`` is how this bot fetches it.
    """

    file_id: str
    file_unique_id: str
    file_size: int | None = None
    file_name: str | None = None
    mime_type: str | None = None
    width: int = 0
    height: int = 0
    is_animated: bool = False
    is_video: bool = False


class Location(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float


class Venue(msgspec.Struct, frozen=True):
    location: Location
    title: str = ""
    address: str = ""


class Contact(msgspec.Struct, frozen=True):
    phone_number: str
    first_name: str = ""
    last_name: str = ""


class Dice(msgspec.Struct, frozen=True):
    emoji: str
    value: int


class Quoted(msgspec.Struct, frozen=True):
    message_id: int


class TelegramMessage(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """``sender`` is absent in channels; ``sender_chat`` is set for anonymous admins of groups.

    What cannot be shown is only noticed to be there: its fields hold whatever was sent.
    """

    message_id: int
    date: int
    chat: Chat
    sender: User | None = None
    sender_chat: Chat | None = None
    edit_date: int | None = None
    business_connection_id: str | None = None
    sender_business_bot: User | None = None
    reply_to_message: Quoted | None = None
    text: str = ""
    caption: str = ""
    photo: list[File] = []
    document: File | None = None
    voice: File | None = None
    video: File | None = None
    audio: File | None = None
    animation: File | None = None
    video_note: File | None = None
    sticker: File | None = None
    location: Location | None = None
    venue: Venue | None = None
    contact: Contact | None = None
    dice: Dice | None = None
    poll: Any = None
    story: Any = None
    game: Any = None
    invoice: Any = None
    checklist: Any = None
    paid_media: Any = None


class DeletedMessages(msgspec.Struct, frozen=True):
    """Of one chat. Who deleted them, and when, is not told."""

    business_connection_id: str
    chat: Chat
    message_ids: list[int]


class Update(msgspec.Struct, frozen=True):
    """At most one of the optional fields is present; other kinds than these are not messages."""

    update_id: int
    message: TelegramMessage | None = None
    edited_message: TelegramMessage | None = None
    business_message: TelegramMessage | None = None
    edited_business_message: TelegramMessage | None = None
    deleted_business_messages: DeletedMessages | None = None
