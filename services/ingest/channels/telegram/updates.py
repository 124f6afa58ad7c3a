"""What an update of the Bot API means here: pure, no clock, no network.

Source: https://core.telegram.org/bots/api#update and #message
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from libs.events.content import (
    Attachment,
    AttachmentKind,
    Channel,
    Content,
    Direction,
    GeoPoint,
    Sender,
)
from libs.events.ids import IdKey
from libs.events.inbound import InboundDeleted, InboundReceived
from libs.events.registry import UNREADABLE
from libs.runtime.headers import file_name_of, media_type_of
from services.ingest.channels.telegram.shapes import (
    DeletedMessages,
    File,
    TelegramMessage,
    Update,
)

_update = msgspec.json.Decoder(Update)
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])

# Every kind of update of Bot API 9; a name that is not here is counted as "other", so that
# nothing outside decides about the number of time series.
KINDS: Final = frozenset(
    {
        *("message", "edited_message", "channel_post", "edited_channel_post"),
        *("business_connection", "business_message", "edited_business_message"),
        *("deleted_business_messages", "message_reaction", "message_reaction_count"),
        *("inline_query", "chosen_inline_result", "callback_query"),
        *("shipping_query", "pre_checkout_query", "purchased_paid_media"),
        *("poll", "poll_answer", "my_chat_member", "chat_member", "chat_join_request"),
        *("chat_boost", "removed_chat_boost"),
    }
)
_BUSINESS: Final = "business"
# Up to a second after the one that was told: two messages of one second, of which the later comes
# after its end, stay in the order in which they came.
_AT_ONCE: Final = timedelta(seconds=2)
_LAST_OF_A_SECOND: Final = timedelta(milliseconds=999)
# In this order: an animation carries a copy of itself as a document, a venue as a location.
_FILES: Final[tuple[tuple[str, AttachmentKind, str], ...]] = (
    ("animation", "video", "video/mp4"),
    ("video", "video", "video/mp4"),
    ("video_note", "video", "video/mp4"),
    ("voice", "voice", "audio/ogg"),
    ("audio", "audio", "audio/mpeg"),
    ("document", "file", "application/octet-stream"),
)
_NOT_SHOWN: Final = ("poll", "story", "game", "invoice", "checklist", "paid_media")


class Unreadable(Exception):
    """Not an update of the Bot API. Its text names the field, never the value."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An update that is no message of a conversation; ``kind`` is for counting."""

    kind: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A chat, and the business connection through which the bot writes to it, if any."""

    chat_id: str
    business_connection_id: str | None = None

    def __str__(self) -> str:
        if self.business_connection_id is None:
            return self.chat_id
        return f"{_BUSINESS}:{self.business_connection_id}:{self.chat_id}"


def read_thread(thread: str) -> Thread:
    """The reverse of ``str(thread)``. Errors: ValueError."""
    kind, _, rest = thread.partition(":")
    if kind == _BUSINESS:
        connection, _, chat_id = rest.rpartition(":")
        if not connection:
            raise ValueError("a business thread without its connection")
        return Thread(str(int(chat_id)), connection)
    return Thread(str(int(thread)))


def read_update(raw: bytes) -> Update:
    """Errors: Unreadable."""
    try:
        return _update.decode(raw)
    except UNREADABLE as error:
        raise Unreadable(str(error)) from error


def kind_of(raw: bytes) -> str:
    """The kind of an update that ``read_update`` could read."""
    try:
        keys = _keys.decode(raw)
    except UNREADABLE:  # a name that nobody asked for is not UTF-8
        return "other"
    return next((key for key in keys if key in KINDS), "other")


def normalise(
    update: Update, *, source_id: str, account: str, ids: IdKey, received_at: datetime
) -> InboundReceived | Ignored:
    """``account`` is our bot's id: what it sent itself comes back and is not news."""
    for name in ("message", "edited_message", "business_message", "edited_business_message"):
        message: TelegramMessage | None = getattr(update, name)
        if message is not None:
            break
    else:
        return Ignored("other")
    if _is_ours(message, account):
        return Ignored("echo")
    content = _content(message, source_id, ids)
    if content.is_empty:
        return Ignored("service_message")
    thread = Thread(str(message.chat.id), message.business_connection_id)
    external_id = str(message.message_id)
    is_edit = name.startswith("edited_")
    quoted = message.reply_to_message
    # An edit's own instant is no key: two edits may share a second. Telegram repeats an update
    # under the same number, so the number names the edit.
    key = (str(thread), external_id, str(update.update_id) if is_edit else "")
    happened = message.edit_date if is_edit and message.edit_date else message.date
    return InboundReceived(
        cause=ids.derive("cau", source_id, "edit" if is_edit else "message", *key),
        kind="edit" if is_edit else "message",
        direction=_direction(message),
        channel=Channel.TELEGRAM,
        source_id=source_id,
        conversation_id=ids.conversation(source_id, str(thread)),
        thread=str(thread),
        customer_id=ids.customer(source_id, thread.chat_id),
        sender=_sender(message),
        message_id=ids.message(source_id, str(thread), external_id),
        external_message_id=external_id,
        content=content,
        occurred_at=_occurred_at(happened, received_at),
        received_at=received_at,
        reply_to=ids.message(source_id, str(thread), str(quoted.message_id)) if quoted else None,
        reply_to_external=str(quoted.message_id) if quoted else None,
    )


def deletions(
    deleted: DeletedMessages, *, source_id: str, ids: IdKey, received_at: datetime
) -> list[InboundDeleted]:
    """One for each message. A message is deleted once, so its own ids are key enough."""
    thread = Thread(str(deleted.chat.id), deleted.business_connection_id)
    return [
        InboundDeleted(
            cause=ids.derive("cau", source_id, "deleted", str(thread), str(one)),
            channel=Channel.TELEGRAM,
            source_id=source_id,
            conversation_id=ids.conversation(source_id, str(thread)),
            thread=str(thread),
            customer_id=ids.customer(source_id, thread.chat_id),
            message_id=ids.message(source_id, str(thread), str(one)),
            external_message_id=str(one),
            occurred_at=received_at,
            received_at=received_at,
        )
        for one in dict.fromkeys(deleted.message_ids)
    ]


def _occurred_at(seconds: int, received_at: datetime) -> datetime:
    """The platform's time, never later than receipt. Telegram tells whole seconds; of what comes
    at once our clock knows the instant within that second, so that busy lists have an order.
    """
    try:
        told = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return received_at
    if not timedelta() <= received_at - told < _AT_ONCE:
        return min(told, received_at)
    received = received_at.replace(microsecond=received_at.microsecond // 1000 * 1000)
    return min(received, told + _LAST_OF_A_SECOND)


def _is_ours(message: TelegramMessage, account: str) -> bool:
    return any(
        user is not None and str(user.id) == account
        for user in (message.sender, message.sender_business_bot)
    )


def _direction(message: TelegramMessage) -> Direction:
    """A business chat is the customer's private chat with the account's owner: who wrote and is
    not the customer is the owner, with Telegram's own application.
    """
    by_owner = (
        message.business_connection_id is not None
        and message.sender is not None
        and message.sender.id != message.chat.id
    )
    return "outgoing" if by_owner else "incoming"


def _sender(message: TelegramMessage) -> Sender:
    """In a group the conversation is the group's: its title stands beside the writer's name."""
    title = message.chat.title
    if message.sender_chat is not None or message.sender is None:
        chat = message.sender_chat or message.chat
        return Sender(external_id=str(chat.id), name=_joined(" · ", chat.title, title))
    user = message.sender
    return Sender(
        external_id=str(user.id),
        name=_joined(" · ", _joined(" ", user.first_name, user.last_name), title),
        username=user.username,
        language=user.language_code,
    )


def _joined(separator: str, *parts: str) -> str:
    return separator.join(dict.fromkeys(part for part in parts if part))


def _content(message: TelegramMessage, source_id: str, ids: IdKey) -> Content:
    point = None
    if message.venue is not None:
        point = _point(message.venue.location.latitude, message.venue.location.longitude)
        title = _joined(", ", message.venue.title, message.venue.address)
        point = msgspec.structs.replace(point, title=title or None)
    elif message.location is not None:
        point = _point(message.location.latitude, message.location.longitude)
    attachment = _attachment(message, source_id, ids)
    return Content(
        text=message.text or message.caption or _words(message),
        attachments=(attachment,) if attachment else (),
        point=point,
    )


def _point(latitude: float, longitude: float) -> GeoPoint:
    return GeoPoint(latitude=latitude, longitude=longitude)


def _words(message: TelegramMessage) -> str:
    """In words, what is neither text nor file; in brackets, the name of what cannot be shown: a
    customer's message that an agent does not see at all would be overlooked.
    """
    if message.contact is not None:
        contact = message.contact
        return _joined(" ", contact.first_name, contact.last_name, contact.phone_number)
    if message.dice is not None:
        return f"{message.dice.emoji} {message.dice.value}"
    return next((f"[{name}]" for name in _NOT_SHOWN if getattr(message, name) is not None), "")


def _attachment(message: TelegramMessage, source_id: str, ids: IdKey) -> Attachment | None:
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return _file(largest, "image", "image/jpeg", source_id, ids)
    if message.sticker is not None:
        return _file(message.sticker, "sticker", _sticker_type(message.sticker), source_id, ids)
    for name, kind, media_type in _FILES:
        file: File | None = getattr(message, name)
        if file is not None:
            return _file(file, kind, media_type_of(file.mime_type, media_type), source_id, ids)
    return None


def _sticker_type(sticker: File) -> str:
    if sticker.is_animated:
        return "application/x-tgsticker"
    return "video/webm" if sticker.is_video else "image/webp"


def _file(
    file: File, kind: AttachmentKind, media_type: str, source_id: str, ids: IdKey
) -> Attachment:
    return Attachment(
        attachment_id=ids.attachment(source_id, file.file_unique_id),
        kind=kind,
        media_type=media_type,
        reference=file.file_id,
        file_name=file_name_of(file.file_name),
        size_bytes=file.file_size,
    )
