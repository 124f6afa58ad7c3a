"""Values of custom fields, checked by their definitions: those of cases and those of customers."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, Literal

from libs.events.directory import FieldState
from libs.events.marks import FieldKind, FieldValue
from libs.events.words import text_of
from libs.runtime.directory import WorkspaceDirectory
from services.conversation.localization.localizer import wrong

TEXT_MAX_CHARACTERS: Final = 2_000
_NUMBER_MOST: Final = 2**53
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _Wrong(Exception):
    """What is wrong with a value: the text ``invalid.<key>``."""

    def __init__(self, key: str, **variables: str | int) -> None:
        super().__init__(key)
        self.key = key
        self.variables = variables


def checked_values(
    directory: WorkspaceDirectory,
    applies_to: Literal["case", "customer"],
    values: Mapping[str, FieldValue | None],
    prefix: str = "values",
) -> dict[str, FieldValue | None]:
    """The values as they are to be kept; None takes one away, also of a field no longer offered.

    Errors: Invalid, naming ``<prefix>.<field's id>``.
    """
    checked: dict[str, FieldValue | None] = {}
    for field_id, value in values.items():
        name = f"{prefix}.{field_id[:80]}"
        definition = directory.fields.get(field_id)
        if definition is None or definition.applies_to != applies_to:
            raise wrong(name, f"not-a-field-of-{applies_to}")
        if value is None:
            checked[field_id] = None
            continue
        if not definition.active:
            raise wrong(name, "not-offered")
        try:
            checked[field_id] = _CHECKS[definition.kind](definition, value)
        except _Wrong as error:
            raise wrong(name, error.key, **error.variables) from error
    return checked


def required_fields(directory: WorkspaceDirectory) -> tuple[str, ...]:
    """Ids of the fields of cases that have to say something."""
    return tuple(
        sorted(
            field.field_id
            for field in directory.fields.values()
            if field.applies_to == "case" and field.required and field.active
        )
    )


def _text(field: FieldState, value: FieldValue) -> FieldValue:
    if not isinstance(value, str):
        raise _Wrong("not-a-text")
    text = text_of(value).strip()
    if not text:
        raise _Wrong("empty")
    longest = field.max_characters or TEXT_MAX_CHARACTERS
    if len(text) > longest:
        raise _Wrong("too-long", count=longest)
    return text


def _number(field: FieldState, value: FieldValue) -> FieldValue:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong("not-a-number")
    if not (math.isfinite(value) and abs(value) <= _NUMBER_MOST):
        raise _Wrong("number-too-large")
    if field.minimum is not None and value < field.minimum:
        raise _Wrong("at-least", least=f"{field.minimum:g}")
    if field.maximum is not None and value > field.maximum:
        raise _Wrong("at-most", most=f"{field.maximum:g}")
    return value


def _boolean(_field: FieldState, value: FieldValue) -> FieldValue:
    if not isinstance(value, bool):
        raise _Wrong("not-a-boolean")
    return value


def _date(_field: FieldState, value: FieldValue) -> FieldValue:
    # Python also reads 20261122 and 2026-W47-7.
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        raise _Wrong("not-a-date")
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise _Wrong("not-a-date") from None


def _choice(field: FieldState, value: FieldValue) -> FieldValue:
    if value not in {choice.choice_id for choice in field.choices}:
        raise _Wrong("not-a-choice")
    return value


def _choices(field: FieldState, value: FieldValue) -> FieldValue:
    offered = {choice.choice_id for choice in field.choices}
    if not isinstance(value, tuple) or not value or not offered.issuperset(value):
        raise _Wrong("not-choices")
    return tuple(dict.fromkeys(value))


_CHECKS: Final[dict[FieldKind, Callable[[FieldState, FieldValue], FieldValue]]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "choice": _choice,
    "choices": _choices,
}
