"""What the team marks cases and messages with."""

from typing import Final, Literal, get_args

Priority = Literal["none", "low", "normal", "high", "urgent"]
PRIORITIES: Final[tuple[Priority, ...]] = get_args(Priority)

# Labels are chosen from those that the workspace defined. Of a status and a type a case has one.
LabelKind = Literal["topic", "status", "type", "reason", "component"]
# Tags are words, which nobody has to define first.
MarkKind = Literal["tag", "topic", "status", "type", "reason", "component"]
SINGLE: Final[frozenset[MarkKind]] = frozenset({"status", "type"})

Emotion = Literal["positive", "neutral", "negative"]

# A date is a text such as 2026-11-22; a choice the choice's id, a multiple choice several.
FieldValue = str | int | float | bool | tuple[str, ...]
FieldKind = Literal["text", "number", "boolean", "date", "choice", "choices"]
