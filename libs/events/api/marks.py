"""How cases and messages are marked."""

from typing import ClassVar

import msgspec

from libs.events.api.requests import RequestBody
from libs.events.api.values import Tag
from libs.events.marks import Emotion, FieldValue, Priority


class SetPriority(RequestBody):
    priority: Priority


class ChangeMarks(RequestBody):
    """Tags, as words; topics, reasons and components, as ids of labels."""

    SAYS_ONE_OF: ClassVar[tuple[str, ...]] = ("add", "remove")

    add: tuple[Tag, ...] = ()
    remove: tuple[Tag, ...] = ()


class SetMark(RequestBody):
    """The status or the type of a case; null takes it away."""

    label_id: str | None


class SetFields(RequestBody):
    """Values of custom fields by the fields' ids; null takes one away. Others stay."""

    values: dict[str, FieldValue | None] = msgspec.field(default_factory=dict)


class MarkEmotion(RequestBody):
    """What is heard in a message; null takes the mark away."""

    emotion: Emotion | None
