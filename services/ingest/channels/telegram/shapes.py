"""The parts of the Bot API's objects that ingest reads. Unknown fields are skipped unread.

What has no default is insisted on: without it nobody knows whose message it is, or which.

Source: https://core.telegram.org/bots/api#available-types, as of Bot API 10
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
    """``type``: private, group, supergroup or channel. Private ones have a person's names.

    ``is_direct_messages``: where people write privately to a channel, each in a topic of theirs.
    """

    id: int
    type: str = ""
    title: str = ""
    first_name: str = ""
    last_name: str = ""
    username: str | None = None
    is_direct_messages: bool = False


class File(msgspec.Struct, frozen=True):
    """Photo size, document, voice, video, audio, animation, video note or sticker.

    ``file_unique_id`` names the file for ever, ``file_id`` is how this bot fetches it.
    """

    file_id: str
    file_unique_id: str | None = None
    file_size: int | None = None
    file_name: str | None = None
    mime_type: str | None = None
    width: int = 0
    height: int = 0
    duration: int | None = None
    emoji: str | None = None
    is_animated: bool = False
    is_video: bool = False


class Location(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float


class Venue(msgspec.Struct, frozen=True):
    location: Location
    title: str = ""
    address: str = ""


class Entity(msgspec.Struct, frozen=True):
    """A part of a text, counted in UTF-16 code units."""

    type: str
    offset: int
    length: int
    url: str | None = None


class Origin(msgspec.Struct, frozen=True):
    """Whose a forwarded message was: a user, one who hides, a chat or a channel."""

    sender_user: User | None = None
    sender_user_name: str = ""
    sender_chat: Chat | None = None
    chat: Chat | None = None
    author_signature: str = ""


class ForumTopic(msgspec.Struct, frozen=True):
    name: str = ""


class DirectMessagesTopic(msgspec.Struct, frozen=True):
    topic_id: int
    user: User | None = None


class Named(msgspec.Struct, frozen=True):
    """What tells one message of a chat from another.

    ``message_id`` is 0 where only ``ephemeral_message_id`` tells them apart, which is used again
    once the message has gone, or where Telegram sends it later. Parts of an album share their
    ``media_group_id``.
    """

    message_id: int
    date: int = 0
    ephemeral_message_id: int | None = None
    media_group_id: str | None = None


class Quoted(Named, frozen=True):
    """``forum_topic_created``: every message of a topic quotes the topic's beginning."""

    forum_topic_created: ForumTopic | None = None


class PressedButton(msgspec.Struct, frozen=True):
    text: str = ""
    callback_data: str | None = None


class Keyboard(msgspec.Struct, frozen=True):
    inline_keyboard: list[list[PressedButton]] = []


class TelegramMessage(Named, frozen=True, kw_only=True, rename={"sender": "from"}):
    """``sender`` is absent in channels; ``sender_chat`` is set for anonymous admins of groups.

    What is told in words (``words.py``) is only noticed to be there: it holds whatever was sent.
    """

    chat: Chat
    sender: User | None = None
    sender_chat: Chat | None = None
    author_signature: str = ""
    edit_date: int | None = None
    business_connection_id: str | None = None
    sender_business_bot: User | None = None
    message_thread_id: int | None = None
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    direct_messages_topic: DirectMessagesTopic | None = None
    receiver_user: User | None = None
    migrate_to_chat_id: int | None = None
    migrate_from_chat_id: int | None = None
    reply_to_message: Quoted | None = None
    reply_markup: Keyboard | None = None
    forward_origin: Origin | None = None
    forward_from: User | None = None
    forward_from_chat: Chat | None = None
    forward_sender_name: str = ""
    text: str = ""
    entities: list[Entity] = []
    caption: str = ""
    caption_entities: list[Entity] = []
    photo: list[File] = []
    live_photo: File | None = None
    document: File | None = None
    voice: File | None = None
    video: File | None = None
    audio: File | None = None
    animation: File | None = None
    video_note: File | None = None
    sticker: File | None = None
    location: Location | None = None
    venue: Venue | None = None
    contact: Any = None
    dice: Any = None
    poll: Any = None
    story: Any = None
    game: Any = None
    invoice: Any = None
    checklist: Any = None
    paid_media: Any = None
    rich_message: Any = None
    web_app_data: Any = None
    users_shared: Any = None
    user_shared: Any = None
    chat_shared: Any = None
    passport_data: Any = None
    successful_payment: Any = None
    refunded_payment: Any = None
    gift: Any = None
    unique_gift: Any = None
    gift_upgrade_sent: Any = None
    giveaway: Any = None
    giveaway_winners: Any = None
    giveaway_completed: Any = None
    managed_bot_created: Any = None


class DeletedMessages(msgspec.Struct, frozen=True):
    """Of one chat. Who deleted them, and when, is not told."""

    chat: Chat
    message_ids: list[int]
    business_connection_id: str | None = None


class CallbackQuery(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A button under ``message`` was pressed. A message that is not known any more has no date, and
    one that was written inline is not told at all."""

    id: str
    sender: User
    message: TelegramMessage | None = None
    data: str | None = None
    game_short_name: str | None = None


class Doing(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """What a person did to the bot without writing."""

    sender: User | None = None
    user: User | None = None
    bot_user: User | None = None
    state: str = ""


class Update(msgspec.Struct, frozen=True):
    """At most one of the optional fields is present; other kinds than these are not messages."""

    update_id: int
    message: TelegramMessage | None = None
    edited_message: TelegramMessage | None = None
    channel_post: TelegramMessage | None = None
    edited_channel_post: TelegramMessage | None = None
    business_message: TelegramMessage | None = None
    edited_business_message: TelegramMessage | None = None
    guest_message: TelegramMessage | None = None
    deleted_business_messages: DeletedMessages | None = None
    callback_query: CallbackQuery | None = None
    purchased_paid_media: Doing | None = None
    managed_bot: Doing | None = None
    subscription: Doing | None = None
