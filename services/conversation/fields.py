"""Values of custom fields, checked by their definitions: those of cases and those of customers."""

import math
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, Literal

from libs.events.directory import FieldState
from libs.events.marks import FieldKind, FieldValue
from libs.runtime.bodies import invalid_field
from libs.runtime.directory import WorkspaceDirectory

TEXT_MAX_CHARACTERS: Final = 2_000
_NUMBER_MOST: Final = 2**53


class _Wrong(Exception):
    """What is wrong with a value."""


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
            raise invalid_field(name, f"is not a field of {applies_to}s")
        if value is None:
            checked[field_id] = None
            continue
        if not definition.active:
            raise invalid_field(name, "is not offered any more")
        try:
            checked[field_id] = _CHECKS[definition.kind](definition, value)
        except _Wrong as wrong:
            raise invalid_field(name, str(wrong)) from wrong
    return checked


def required_fields(
    directory: WorkspaceDirectory, applies_to: Literal["case", "customer"]
) -> tuple[str, ...]:
    """Ids of the fields that have to say something."""
    return tuple(
        sorted(
            field.field_id
            for field in directory.fields.values()
            if field.applies_to == applies_to and field.required and field.active
        )
    )


def _text(field: FieldState, value: FieldValue) -> FieldValue:
    if not isinstance(value, str):
        raise _Wrong("must be a text")
    text = value.strip()
    if not text:
        raise _Wrong("is empty")
    longest = field.max_characters or TEXT_MAX_CHARACTERS
    if len(text) > longest:
        raise _Wrong(f"has more than {longest} characters")
    return text


def _number(field: FieldState, value: FieldValue) -> FieldValue:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong("must be a number")
    if not (math.isfinite(value) and abs(value) <= _NUMBER_MOST):
        raise _Wrong("is too large a number")
    if field.minimum is not None and value < field.minimum:
        raise _Wrong(f"must be at least {field.minimum:g}")
    if field.maximum is not None and value > field.maximum:
        raise _Wrong(f"must be at most {field.maximum:g}")
    return value


def _boolean(_field: FieldState, value: FieldValue) -> FieldValue:
    if not isinstance(value, bool):
        raise _Wrong("must be true or false")
    return value


def _date(_field: FieldState, value: FieldValue) -> FieldValue:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise _Wrong("must be a date such as 2026-11-22") from None


def _choice(field: FieldState, value: FieldValue) -> FieldValue:
    if value not in {choice.choice_id for choice in field.choices}:
        raise _Wrong("must be the id of one of the choices")
    return value


def _choices(field: FieldState, value: FieldValue) -> FieldValue:
    offered = {choice.choice_id for choice in field.choices}
    if not isinstance(value, tuple) or not value or not offered.issuperset(value):
        raise _Wrong("must be ids of some of the choices")
    return tuple(dict.fromkeys(value))


_CHECKS: Final[dict[FieldKind, Callable[[FieldState, FieldValue], FieldValue]]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "choice": _choice,
    "choices": _choices,
}
