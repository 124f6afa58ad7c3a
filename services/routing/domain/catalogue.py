"""The rules for what cases and customers are described with: labels, and custom fields.

Neither is ever deleted, because cases of years ago still say it: what is removed is not active.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from libs.events.api.directory import FieldChoice
from libs.events.directory import Choice, FieldState, LabelState
from libs.events.ids import random_id
from libs.events.marks import FieldKind, LabelKind
from services.routing.domain.errors import Clash, InvalidValue
from services.routing.domain.events import DirectoryEvent, FieldSet, LabelSet
from services.routing.domain.values import name_of
from services.routing.domain.workspace import Workspace

LABELS_AT_MOST: Final = 500  # of a kind, active
FIELDS_AT_MOST: Final = 100  # of cases, and of customers, active
CHOICES_AT_MOST: Final = 200
TEXT_MAX_CHARACTERS: Final = 2_000
_POSITIONS: Final = range(1_000_000)
# Beyond it, a number does not come back from JSON as it was.
_NUMBER_MOST: Final = 2.0**53


def add_label(
    there: Workspace, label_id: str, *, kind: LabelKind, name: str, position: int
) -> list[DirectoryEvent]:
    label = LabelState(
        label_id=label_id,
        kind=kind,
        name=name_of("name", name),
        position=_position(position),
    )
    return [_checked_label(there, label)]


def change_label(
    there: Workspace,
    label_id: str,
    *,
    name: str | None = None,
    position: int | None = None,
    active: bool | None = None,
) -> list[DirectoryEvent]:
    now = there.label(label_id)
    label = replace(
        now,
        name=now.name if name is None else name_of("name", name),
        position=now.position if position is None else _position(position),
        active=now.active if active is None else active,
    )
    return [_checked_label(there, label)] if label != now else []


def remove_label(there: Workspace, label_id: str) -> list[DirectoryEvent]:
    return change_label(there, label_id, active=False)


def add_field(
    there: Workspace,
    field_id: str,
    *,
    applies_to: Literal["case", "customer"],
    name: str,
    kind: FieldKind,
    required: bool,
    minimum: float | None,
    maximum: float | None,
    max_characters: int | None,
    choices: Sequence[FieldChoice],
    position: int,
) -> list[DirectoryEvent]:
    field = FieldState(
        field_id=field_id,
        applies_to=applies_to,
        name=name_of("name", name),
        kind=kind,
        required=required,
        minimum=minimum,
        maximum=maximum,
        max_characters=max_characters,
        choices=_choices((), choices),
        position=_position(position),
    )
    _check_required(required, applies_to)
    return [_checked_field(there, field)]


def change_field(
    there: Workspace,
    field_id: str,
    *,
    name: str | None = None,
    required: bool | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    max_characters: int | None = None,
    choices: Sequence[FieldChoice] | None = None,
    position: int | None = None,
    active: bool | None = None,
) -> list[DirectoryEvent]:
    """What was said before stays, also where a new limit would not let it be said again."""
    now = there.field(field_id)
    _check_required(required, now.applies_to)
    field = replace(
        now,
        name=now.name if name is None else name_of("name", name),
        required=now.required if required is None else required,
        minimum=now.minimum if minimum is None else minimum,
        maximum=now.maximum if maximum is None else maximum,
        max_characters=now.max_characters if max_characters is None else max_characters,
        choices=now.choices if choices is None else _choices(now.choices, choices),
        position=now.position if position is None else _position(position),
        active=now.active if active is None else active,
    )
    return [_checked_field(there, field)] if field != now else []


def remove_field(there: Workspace, field_id: str) -> list[DirectoryEvent]:
    return change_field(there, field_id, active=False)


def _checked_label(there: Workspace, label: LabelState) -> LabelSet:
    """Errors: InvalidValue (another label of its kind has the name), Clash (too many)."""
    others = [
        one
        for one in there.labels.values()
        if one.kind == label.kind and one.active and one.label_id != label.label_id
    ]
    if label.active:
        if label.name.casefold() in {one.name.casefold() for one in others}:
            raise InvalidValue("name", "label-taken")
        if len(others) >= LABELS_AT_MOST:
            raise Clash("too-many-labels", count=LABELS_AT_MOST)
    return LabelSet(**msgspec.structs.asdict(label))


def _checked_field(there: Workspace, field: FieldState) -> FieldSet:
    """Errors: InvalidValue, Clash (too many)."""
    others = [
        one
        for one in there.fields.values()
        if one.applies_to == field.applies_to and one.active and one.field_id != field.field_id
    ]
    if field.active:
        if field.name.casefold() in {one.name.casefold() for one in others}:
            raise InvalidValue("name", "field-taken")
        if len(others) >= FIELDS_AT_MOST:
            raise Clash(f"too-many-fields.{field.applies_to}", count=FIELDS_AT_MOST)
    _check_limits(field)
    return FieldSet(**{name: getattr(field, name) for name in field.__struct_fields__})


def _check_required(required: bool | None, applies_to: Literal["case", "customer"]) -> None:
    """What is asked for, not what is there: a field may have been made so before."""
    if required and applies_to != "case":
        raise InvalidValue("required", "only-of-cases")


def _check_limits(field: FieldState) -> None:
    for name, bound in (("minimum", field.minimum), ("maximum", field.maximum)):
        if bound is None:
            continue
        if field.kind != "number":
            raise InvalidValue(name, "only-numbers")
        if not (math.isfinite(bound) and abs(bound) <= _NUMBER_MOST):
            raise InvalidValue(name, "number-too-large")
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        raise InvalidValue("minimum", "above-maximum")
    if field.max_characters is not None:
        if field.kind != "text":
            raise InvalidValue("max_characters", "only-texts")
        if not 1 <= field.max_characters <= TEXT_MAX_CHARACTERS:
            raise InvalidValue("max_characters", "between", least=1, most=TEXT_MAX_CHARACTERS)
    if (field.kind in ("choice", "choices")) is not bool(field.choices):
        raise InvalidValue("choices", "choices")


def _choices(now: Sequence[Choice], asked: Sequence[FieldChoice]) -> tuple[Choice, ...]:
    """Those asked for, in that order: the ones that stay keep their ids. Errors: InvalidValue."""
    if len(asked) > CHOICES_AT_MOST:
        raise InvalidValue("choices", "too-many", count=CHOICES_AT_MOST)
    known = {choice.choice_id for choice in now}
    choices: list[Choice] = []
    for one in asked:
        if one.choice_id is not None and one.choice_id not in known:
            raise InvalidValue("choices", "not-there", id=one.choice_id[:80])
        choice_id = one.choice_id or random_id("chc")
        choices.append(Choice(choice_id=choice_id, name=name_of("choices", one.name)))
    if len({one.choice_id for one in choices}) < len(choices):
        raise InvalidValue("choices", "twice")
    if len({one.name.casefold() for one in choices}) < len(choices):
        raise InvalidValue("choices", "same-names")
    return tuple(choices)


def _position(position: int) -> int:
    if position not in _POSITIONS:
        raise InvalidValue("position", "between", least=0, most=_POSITIONS.stop - 1)
    return position
