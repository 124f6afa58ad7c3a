"""How much text each channel takes in one message, checked before anything is decided."""

from dataclasses import dataclass
from typing import Final

from libs.events.content import Channel, Content
from libs.events.words import is_blank
from services.conversation.telling import TEXTS, wrong

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


def check_content(channel: Channel, content: Content) -> None:
    """Errors: Invalid, naming the field."""
    if is_blank(content.text) and not (content.attachments or content.point):
        raise wrong("content", "empty")
    _check_length(channel, content, "content.text")


def check_edited(channel: Channel, content: Content) -> None:
    """What a message is to say after an edit. Errors: Invalid, naming ``text``."""
    if is_blank(content.text):
        raise wrong("text", "empty")
    _check_length(channel, content, "text")


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
