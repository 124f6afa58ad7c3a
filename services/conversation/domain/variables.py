"""What stands in texts: by ids and keys here, told with names by ``localization``."""

from datetime import datetime

import msgspec

from libs.events.content import Channel


class Member(msgspec.Struct, frozen=True):
    """Told by their name."""

    member_id: str


class Group(msgspec.Struct, frozen=True):
    """Told by its name."""

    group_id: str


class Words(msgspec.Struct, frozen=True):
    """Things that have a text of their own under ``key``, such as the name of a priority."""

    key: str


class Counted(msgspec.Struct, frozen=True):
    """So many things, whose name is a text with plural forms: ``2 tags``."""

    key: str
    count: int


class Names(msgspec.Struct, frozen=True):
    """Names as they are, such as tags, told as a list."""

    names: tuple[str, ...]


class Labels(msgspec.Struct, frozen=True):
    """Labels of the workspace, told as a list of their names."""

    label_ids: tuple[str, ...]


class Fields(msgspec.Struct, frozen=True):
    """Custom fields of the workspace, told as a list of their names."""

    field_ids: tuple[str, ...]


class Reason(msgspec.Struct, frozen=True):
    """Why a channel did not do something: in our words where we have some for the ``code``, else in
    the channel's own."""

    code: str
    words: str


class ChannelName(msgspec.Struct, frozen=True):
    """Told as the channel is called in the caller's language."""

    channel: Channel


type Variable = (
    str
    | int
    | datetime
    | Member
    | Group
    | Words
    | Counted
    | Names
    | Labels
    | Fields
    | Reason
    | ChannelName
)
