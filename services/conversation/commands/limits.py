"""How much text each channel takes in one message, checked before anything is decided."""

from dataclasses import dataclass
from typing import Final

from libs.events.content import Channel, Content
from libs.events.words import is_blank
from services.conversation.localization.localizer import TEXTS, wrong

NOTE_MAX_CHARACTERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class TextLimit:
    """In characters; ``caption`` is the text of a message with attachments."""

    text: int
    caption: int


# Telegram: Bot API, sendMessage ("1-4096 characters") and sendPhoto ("0-1024 characters").
TEXT_LIMITS: Final = {
    Channel.TELEGRAM: TextLimit(text=4096, caption=1024),
    Channel.WIDGET: TextLimit(text=4000, caption=4000),
}


# Telegram: Bot API, InlineKeyboardButton ("callback_data … 1-64 bytes"); a keyboard with more than
# a hundred buttons is refused. Our widget shows none.
BUTTONS_AT_MOST: Final = {Channel.TELEGRAM: 100, Channel.WIDGET: 0}
BUTTON_DATA_MAX_BYTES: Final = 64


def check_content(channel: Channel, content: Content) -> None:
    """Errors: Invalid, naming the field."""
    if is_blank(content.text) and not (content.attachments or content.point):
        raise wrong("content", "empty")
    _check_length(channel, content, "content.text")
    _check_buttons(channel, content)


def check_edited(channel: Channel, content: Content) -> None:
    """What a message is to say after an edit. Errors: Invalid, naming ``text``."""
    if is_blank(content.text):
        raise wrong("text", "empty")
    _check_length(channel, content, "text")


def _check_buttons(channel: Channel, content: Content) -> None:
    buttons = [button for row in content.buttons for button in row]
    most = BUTTONS_AT_MOST[channel]
    if buttons and not most:
        raise wrong("content.buttons", "no-buttons", channel=TEXTS.say(f"channel.{channel}"))
    if len(buttons) > most:
        raise wrong("content.buttons", "too-many", count=most)
    for button in buttons:
        if (button.data is None) is (button.url is None):
            raise wrong("content.buttons", "button-does-one")
        if len((button.data or "").encode()) > BUTTON_DATA_MAX_BYTES:
            raise wrong("content.buttons", "button-data-too-long", limit=BUTTON_DATA_MAX_BYTES)


def _check_length(channel: Channel, content: Content, field: str) -> None:
    limit = TEXT_LIMITS[channel]
    longest = limit.caption if content.attachments else limit.text
    if len(content.text) > longest:
        key = "caption-too-long" if content.attachments else "text-too-long"
        raise wrong(field, key, limit=longest, channel=TEXTS.say(f"channel.{channel}"))


def check_note(text: str) -> None:
    """Errors: Invalid, naming the field."""
    if is_blank(text):
        raise wrong("text", "empty")
    if len(text) > NOTE_MAX_CHARACTERS:
        raise wrong("text", "too-long", count=NOTE_MAX_CHARACTERS)
