"""How much text and how many buttons a channel takes, checked before anything is decided."""

from typing import Final

from libs.events.channels import capabilities_of, channel_name
from libs.events.content import Channel, Content
from libs.events.words import is_blank
from libs.runtime.language import spoken
from services.conversation.localization.localizer import wrong

NOTE_MAX_CHARACTERS: Final = 10_000


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
    limits = capabilities_of(channel).buttons
    if buttons and not limits.at_most:
        raise wrong("content.buttons", "no-buttons", channel=channel_name(channel, spoken()))
    if len(buttons) > limits.at_most:
        raise wrong("content.buttons", "too-many", count=limits.at_most)
    for button in buttons:
        if (button.data is None) is (button.url is None):
            raise wrong("content.buttons", "button-does-one")
        if len((button.data or "").encode()) > limits.data_max_bytes:
            raise wrong("content.buttons", "button-data-too-long", limit=limits.data_max_bytes)


def _check_length(channel: Channel, content: Content, field: str) -> None:
    limits = capabilities_of(channel).text
    has_attachments = bool(content.attachments)
    longest = limits.longest(has_attachments=has_attachments)
    if limits.size_of(content.text) > longest:
        key = "caption-too-long" if has_attachments else "text-too-long"
        if limits.unit == "bytes":
            key += ".bytes"
        raise wrong(field, key, limit=longest, channel=channel_name(channel, spoken()))


def check_note(text: str) -> None:
    """Errors: Invalid, naming the field."""
    if is_blank(text):
        raise wrong("text", "empty")
    if len(text) > NOTE_MAX_CHARACTERS:
        raise wrong("text", "too-long", count=NOTE_MAX_CHARACTERS)
