"""What a message of Telegram's is made of, as Parley has it."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from libs.events.content import Attachment, AttachmentKind, Content, GeoPoint, Link
from libs.events.ids import IdKey
from libs.runtime.headers import file_name_of, media_type_of
from services.ingest.channels.telegram.reading import lenient
from services.ingest.channels.telegram.shapes import Entity, File, Origin, TelegramMessage
from services.ingest.channels.telegram.words import Say, words

# In this order: an animation carries a copy of itself as a document, a venue as a location.
_FILES: Final[tuple[tuple[str, AttachmentKind, str], ...]] = (
    ("live_photo", "video", "video/mp4"),
    ("animation", "video", "video/mp4"),
    ("video", "video", "video/mp4"),
    ("video_note", "video", "video/mp4"),
    ("voice", "voice", "audio/ogg"),
    ("audio", "audio", "audio/mpeg"),
    ("document", "file", "application/octet-stream"),
)
_SCHEMES: Final = ("http", "https", "tg", "ton", "mailto", "tel")
_URL_LONGEST: Final = 2048
_LINKS_MOST: Final = 100
_NAME_LONGEST: Final = 128
_FILES_MOST: Final = 10
# Of an album's parts the smaller numbers are what the list shows first.
_INT_MOST: Final = 2**53


def content_of(
    message: TelegramMessage, source_id: str, ids: IdKey, external: str, say: Say
) -> Content:
    if message.text:
        # It has nothing beside it.
        return Content(
            text=message.text,
            links=_links(message.text, message.entities, 0),
            forwarded_from=_forwarded_from(message),
        )
    told = words(message, say)
    said, entities = message.caption, message.caption_entities
    files = [*_files(message, source_id, ids)]
    if message.media_group_id is not None:
        files = [msgspec.structs.replace(one, external_message_id=external) for one in files]
    before = f"{told}\n" if told and said else told
    return Content(
        text=before + said,
        attachments=tuple(files),
        point=_point(message),
        links=_links(said, entities, len(before)),
        forwarded_from=_forwarded_from(message),
    )


def short(text: str, longest: int = _NAME_LONGEST) -> str:
    """Telegram's names are of 64 characters, titles of 128; what claims to be longer is cut."""
    return text[:longest]


def name_of(*parts: str, separator: str = " ") -> str:
    return separator.join(dict.fromkeys(short(part) for part in parts if part))


def _point(message: TelegramMessage) -> GeoPoint | None:
    if message.venue is not None:
        place = message.venue.location
        title = name_of(message.venue.title, message.venue.address, separator=", ")
    elif message.location is not None:
        place, title = message.location, ""
    else:
        return None
    return GeoPoint(latitude=place.latitude, longitude=place.longitude, title=title or None)


def _links(text: str, entities: list[Entity], before: int) -> tuple[Link, ...]:
    """Addresses that the text itself does not show. ``before``: how many characters of ours stand
    in front of it."""
    hidden = [one for one in entities if one.type == "text_link" and _is_address(one.url)]
    if not hidden:
        return ()
    units = text.encode("utf-16-le")
    links = []
    for one in hidden[:_LINKS_MOST]:
        begin, end = 2 * one.offset, 2 * (one.offset + one.length)
        if not 0 <= begin < end <= len(units):
            continue
        offset = len(units[:begin].decode("utf-16-le", errors="ignore"))
        length = len(units[begin:end].decode("utf-16-le", errors="ignore"))
        links.append(Link(offset=before + offset, length=length, url=str(one.url)))
    return tuple(links)


def _is_address(url: str | None) -> bool:
    if url is None or len(url) > _URL_LONGEST:
        return False
    return url.partition(":")[0].lower() in _SCHEMES


def _forwarded_from(message: TelegramMessage) -> str | None:
    """Before Bot API 7 the parts of the origin stood beside each other."""
    origin = message.forward_origin or Origin(
        sender_user=message.forward_from,
        sender_user_name=message.forward_sender_name,
        chat=message.forward_from_chat,
    )
    user, chat = origin.sender_user, origin.sender_chat or origin.chat
    if user is not None:
        return (
            name_of(user.first_name, user.last_name) or f"@{short(user.username or str(user.id))}"
        )
    if chat is not None:
        title = chat.title or chat.username or str(chat.id)
        return name_of(title, origin.author_signature, separator=" · ")
    return short(origin.sender_user_name) or None


def _files(message: TelegramMessage, source_id: str, ids: IdKey) -> Iterator[Attachment]:
    if message.paid_media is not None:
        yield from _paid(message.paid_media, source_id, ids)
    elif message.sticker is not None:
        media_type = _sticker_type(message.sticker)
        yield _file(message.sticker, "sticker", media_type, source_id, ids)
    elif message.photo and message.live_photo is None:
        yield _largest(message.photo, source_id, ids)
    else:
        for name, kind, media_type in _FILES:
            file: File | None = getattr(message, name)
            if file is not None:
                yield _file(file, kind, media_type_of(file.mime_type, media_type), source_id, ids)
                return


def _paid(paid: Any, source_id: str, ids: IdKey) -> Iterator[Attachment]:
    """What was paid for, or the bot may see. Errors: none, odd parts are left out."""
    media = paid.get("paid_media") if isinstance(paid, dict) else None
    for one in media[:_FILES_MOST] if isinstance(media, list) else ():
        if not isinstance(one, dict):
            continue
        try:
            if one.get("type") == "photo":
                if photos := lenient(one.get("photo"), list[File]):
                    yield _largest(photos, source_id, ids)
            elif one.get("type") in ("video", "live_photo"):
                video = lenient(one.get(str(one["type"])), File)
                yield _file(video, "video", "video/mp4", source_id, ids)
        except msgspec.ValidationError:
            continue


def _largest(photo: list[File], source_id: str, ids: IdKey) -> Attachment:
    largest = max(photo, key=lambda size: size.width * size.height)
    return _file(largest, "image", "image/jpeg", source_id, ids)


def _sticker_type(sticker: File) -> str:
    if sticker.is_animated:
        return "application/x-tgsticker"
    return "video/webm" if sticker.is_video else "image/webp"


def _file(
    file: File, kind: AttachmentKind, media_type: str, source_id: str, ids: IdKey
) -> Attachment:
    return Attachment(
        attachment_id=ids.attachment(source_id, file.file_unique_id or file.file_id),
        kind=kind,
        media_type=media_type,
        reference=file.file_id,
        file_name=file_name_of(file.file_name),
        size_bytes=_count(file.file_size),
        duration_seconds=_count(file.duration),
        width=_count(file.width) or None,
        height=_count(file.height) or None,
        emoji=short(file.emoji) if file.emoji else None,
    )


def _count(number: int | None) -> int | None:
    return number if number is not None and 0 <= number < _INT_MOST else None
