"""What an answer is on Telegram: messages in order, of which files of one kind are an album.

Source: https://core.telegram.org/bots/api#sendmediagroup ("must include 2-10 items", "Documents and
audio files can be only grouped in an album with messages of the same type")
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from libs.events.channels import capabilities_of
from libs.events.content import Attachment, Channel, Content
from services.ingest.channels.telegram.buttons import keyboard_of

_CAN: Final = capabilities_of(Channel.TELEGRAM)
ALBUM_AT_MOST: Final = 10
# All of an album is in memory while it is sent: no more than the largest single file.
_ALBUM_MAX_BYTES: Final = _CAN.max_bytes("file")


@dataclass(frozen=True, slots=True)
class Part:
    """One message. ``form_field`` and ``attachment``: what is uploaded with it."""

    method: str
    fields: dict[str, Any] = field(default_factory=dict)
    form_field: str = ""
    attachment: Attachment | None = None

    @property
    def size_bytes(self) -> int:
        return (self.attachment.size_bytes or 0) if self.attachment else 0


def parts_of(content: Content) -> list[Part]:
    """Text goes as the caption of a single file where it fits, else before the files."""
    caption = ""
    if len(content.attachments) == 1 and len(content.text) <= _CAN.text.caption:
        caption = content.text
    parts = []
    if content.text and not caption:
        parts.append(Part("sendMessage", {"text": content.text}))
    for attachment in content.attachments:
        method, form_field = (
            ("sendPhoto", "photo") if attachment.kind == "image" else ("sendDocument", "document")
        )
        fields = {"caption": caption} if caption else {}
        parts.append(Part(method, fields, form_field, attachment))
    if content.point is not None:
        point = {"latitude": content.point.latitude, "longitude": content.point.longitude}
        parts.append(Part("sendLocation", point))
    if parts and (keyboard := keyboard_of(content)):
        # Under what is read last.
        parts[-1].fields["reply_markup"] = keyboard
    return parts


def calls_of(parts: Sequence[Part], *, albums: bool) -> Iterator[list[Part]]:
    """The parts that leave with one call each: several are an album, where there may be one."""
    album: list[Part] = []
    for part in parts:
        if album and not (albums and _fits(album, part)):
            yield album
            album = []
        album.append(part)
    if album:
        yield album


def _fits(album: Sequence[Part], part: Part) -> bool:
    # An album has no buttons, and its captions would be its files' own.
    return (
        all(one.attachment is not None and not one.fields for one in (*album, part))
        and album[0].form_field == part.form_field
        and len(album) < ALBUM_AT_MOST
        and sum(one.size_bytes for one in (*album, part)) <= _ALBUM_MAX_BYTES
    )
