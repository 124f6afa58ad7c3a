"""What each channel can do and what it takes: one table a channel, as data with its sources.

The rules of a conversation, ingest's senders, the API and the console read it here and nowhere
else. An installed package adds a channel of its own by an entry point of the group
``parley.channels``: its name is the channel's, and it loads a ``ChannelType``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.metadata import entry_points
from typing import Final, Literal

from libs.events.api.directory import Language
from libs.events.content import CHANNEL_GROUP, AttachmentKind, Channel, ReachedState
from libs.events.credentials import Credentials, TelegramCredentials, WidgetCredentials
from libs.events.registry import Body

_MEGABYTE: Final = 1024 * 1024
_HOUR_SECONDS: Final = 60 * 60


class TextLimits(Body):
    """The longest text of one message; ``caption`` is that of a message with attachments."""

    unit: Literal["characters", "bytes"]
    text: int
    caption: int

    def longest(self, *, has_attachments: bool) -> int:
        return self.caption if has_attachments else self.text

    def size_of(self, text: str) -> int:
        """In ``unit``."""
        return len(text) if self.unit == "characters" else len(text.encode())


class MediaLimit(Body):
    """Files of ``kinds`` may have ``max_bytes`` each. Parley's own limits apply besides."""

    kinds: tuple[AttachmentKind, ...]
    max_bytes: int


class ButtonLimits(Body):
    """Under one message. ``at_most`` 0: there are none."""

    at_most: int
    data_max_bytes: int


class Corrections(Body):
    """Within which time after its sending a message may be edited, and deleted.

    Null: at any time. Zero: never. ``by_external_id``: the platform has to be told which of its
    messages is meant, so nothing can be changed before it has said so.
    """

    edit_within_seconds: int | None
    delete_within_seconds: int | None
    by_external_id: bool

    @property
    def edit_within(self) -> timedelta | None:
        return _duration(self.edit_within_seconds)

    @property
    def delete_within(self) -> timedelta | None:
        return _duration(self.delete_within_seconds)


class Window(Body):
    """What may be sent until ``within_seconds`` after the customer wrote; null: at any time."""

    within_seconds: int | None
    allows: Literal["anything", "human-answers", "templates"]


class Capabilities(Body):
    """What the team can do in conversations of a channel.

    ``media`` names every kind of file that can be sent; of a file that comes in, at most
    ``fetch_max_bytes`` are fetched. ``windows`` empty: whatever is allowed is allowed at any time.
    ``receipts`` are the states that the platform tells of what was sent. ``quotes``: an answer can
    show what it answers. ``comments`` empty: the channel has none. ``begins``: who can write first.
    ``on_pages``: customers write on pages of the account's own, whose origins are named.
    """

    text: TextLimits
    media: tuple[MediaLimit, ...]
    fetch_max_bytes: int
    corrections: Corrections
    buttons: ButtonLimits
    windows: tuple[Window, ...]
    receipts: tuple[ReachedState, ...]
    quotes: bool
    comments: tuple[Literal["public-reply", "private-reply", "hide", "delete", "like"], ...]
    begins: Literal["customer", "anybody"]
    on_pages: bool

    def max_bytes(self, kind: AttachmentKind) -> int:
        """Of a file of this kind; 0 where none can be sent."""
        return max((one.max_bytes for one in self.media if kind in one.kinds), default=0)


@dataclass(frozen=True, slots=True)
class ChannelType:
    """``names``: how people call the channel, within a sentence."""

    names: Mapping[Language, str]
    capabilities: Capabilities
    credentials: type[Credentials]


# https://core.telegram.org/bots/api: #sendmessage ("1-4096 characters"), #sendphoto ("0-1024
# characters", "at most 10 MB"), #senddocument ("up to 50 MB"), #getfile ("up to 20MB"),
# #inlinekeyboardbutton ("1-64 bytes"; more than a hundred buttons are refused). A bot's own
# messages have no term in #updating-messages; #deletemessage: "A message can only be deleted if it
# was sent less than 48 hours ago". A person has to write to a bot first.
_TELEGRAM: Final = ChannelType(
    names={"en": "Telegram", "ru": "Telegram", "uk": "Telegram"},
    capabilities=Capabilities(
        text=TextLimits(unit="characters", text=4096, caption=1024),
        media=(
            MediaLimit(kinds=("image",), max_bytes=10 * _MEGABYTE),
            MediaLimit(
                kinds=("video", "audio", "voice", "file", "sticker"), max_bytes=50 * _MEGABYTE
            ),
        ),
        fetch_max_bytes=20 * _MEGABYTE,
        corrections=Corrections(
            edit_within_seconds=None,
            delete_within_seconds=48 * _HOUR_SECONDS,
            by_external_id=True,
        ),
        buttons=ButtonLimits(at_most=100, data_max_bytes=64),
        windows=(),
        receipts=(),
        quotes=True,
        comments=(),
        begins="customer",
        on_pages=False,
    ),
    credentials=TelegramCredentials,
)
# Parley's own: it has Parley's limits alone.
_WIDGET: Final = ChannelType(
    names={"en": "website chat", "ru": "чат на сайте", "uk": "чат на сайті"},
    capabilities=Capabilities(
        text=TextLimits(unit="characters", text=4000, caption=4000),
        media=(
            MediaLimit(
                kinds=("image", "video", "audio", "voice", "file", "sticker"),
                max_bytes=100 * _MEGABYTE,
            ),
        ),
        fetch_max_bytes=0,
        corrections=Corrections(
            edit_within_seconds=None, delete_within_seconds=None, by_external_id=False
        ),
        buttons=ButtonLimits(at_most=0, data_max_bytes=64),
        windows=(),
        receipts=(),
        quotes=False,
        comments=(),
        begins="customer",
        on_pages=True,
    ),
    credentials=WidgetCredentials,
)
_OWN: Final[Mapping[str, ChannelType]] = {Channel.TELEGRAM: _TELEGRAM, Channel.WIDGET: _WIDGET}


@cache
def channel_type(channel: Channel) -> ChannelType:
    """Errors: TypeError, where the package that brings the channel has something else."""
    if (own := _OWN.get(channel)) is not None:
        return own
    [point] = entry_points(group=CHANNEL_GROUP, name=channel.value)
    found = point.load()
    if not isinstance(found, ChannelType):
        raise TypeError(f"{point.value} of the channel {channel} is not a ChannelType")
    return found


def capabilities_of(channel: Channel) -> Capabilities:
    return channel_type(channel).capabilities


def channel_name(channel: str, language: Language) -> str:
    """As people call it; the id of one that this version does not know."""
    if channel not in Channel:
        return channel
    return channel_type(Channel(channel)).names[language]


def _duration(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
