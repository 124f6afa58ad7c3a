"""What a message is made of, in whichever direction it goes."""

from enum import StrEnum
from importlib.metadata import entry_points
from typing import Final, Literal, Self

from libs.events.registry import Body

# An installed package brings a channel under its name in this group; see ``channels``.
CHANNEL_GROUP: Final = "parley.channels"


class Channel(StrEnum):
    """The kinds of sources that this version can connect."""

    _ignore_ = ["_members", "_point"]  # noqa: RUF012  # the enumeration's own way to say so

    TELEGRAM = "telegram"
    WIDGET = "widget"

    _members = vars()
    for _point in entry_points(group=CHANNEL_GROUP):
        _members[_point.name.upper()] = _point.name


Direction = Literal["incoming", "outgoing"]
AttachmentKind = Literal["image", "video", "audio", "voice", "file", "sticker"]
DeliveryState = Literal["queued", "sent", "delivered", "read", "failed", "uncertain"]
ReachedState = Literal["delivered", "read"]
Visibility = Literal["public", "private"]


class Attachment(Body):
    """A file of a message. Its bytes are in object storage under ``attachment_id``.

    ``reference`` is the platform's own handle, with which ingest fetches or sends the bytes.
    ``width`` and ``height`` are in pixels; ``emoji`` is what a sticker stands for. Of an album,
    ``external_message_id`` is the platform's id of the part that the file came in.
    """

    attachment_id: str
    kind: AttachmentKind
    media_type: str
    reference: str
    file_name: str | None = None
    size_bytes: int | None = None
    duration_seconds: int | None = None
    width: int | None = None
    height: int | None = None
    emoji: str | None = None
    external_message_id: str | None = None


class Post(Body):
    """What people comment on: a post of the account's, or one that mentions it.

    ``external_id`` is the platform's; ``permalink`` opens it in the social network.
    """

    external_id: str
    permalink: str | None = None
    text: str = ""


class GeoPoint(Body):
    """WGS 84, degrees."""

    latitude: float
    longitude: float
    title: str | None = None


class Link(Body):
    """Behind a part of the text, in characters (Unicode code points), is an address."""

    offset: int
    length: int
    url: str


class Button(Body):
    """Under a message: it tells ``data`` when it is pressed, or opens ``url``: one of the two."""

    text: str
    data: str | None = None
    url: str | None = None


class Content(Body):
    """``erased``: there was something, and it was forgotten with its person.

    ``forwarded_from``: whose words these are, by the name that the platform tells. ``buttons`` are
    rows of buttons under what the team sent.
    """

    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    point: GeoPoint | None = None
    erased: bool = False
    links: tuple[Link, ...] = ()
    forwarded_from: str | None = None
    buttons: tuple[tuple[Button, ...], ...] = ()

    @classmethod
    def blank(cls) -> Self:
        return cls(erased=True)

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.attachments or self.point)


class Sender(Body):
    """Who wrote, as the platform names them. ``external_id`` is the id on that source."""

    external_id: str
    name: str = ""
    username: str | None = None
    language: str | None = None

    @classmethod
    def blank(cls) -> Self:
        return cls(external_id="")
