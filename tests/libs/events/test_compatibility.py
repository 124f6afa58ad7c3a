"""What was released may only grow."""

import json
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from libs.events.compatibility import breaks
from libs.events.registry import Body
from parley.events import DOCUMENT, Family, document, families
from services.conversation.domain import events as conversation_events

RELEASED = [
    pytest.param(family, path, id=path.stem)
    for family in families()
    for path in sorted(family.released.glob("*.json"))
]


class Place(Body):
    name: str
    floor: int = 0


class Released(Body):
    member_id: str
    state: Literal["new", "done"]
    place: Place
    people: tuple[Place, ...] = ()
    group_id: str | None = None


class HigherPlace(Body, rename={"floor": "storey"}):
    name: str
    floor: int = 0


class StrictPlace(Body):
    name: str
    floor: int


def schema(shape: type) -> dict[str, Any]:
    return msgspec.json.schema(shape)


def changed(**fields: Any) -> dict[str, Any]:
    """The schema of a Released with some fields declared otherwise; None takes one away."""
    declared = {
        "member_id": str,
        "state": Literal["new", "done"],
        "place": Place,
        "people": (tuple[Place, ...], ()),
        "group_id": (str | None, None),
        **fields,
    }
    named = [
        (name, *kind) if isinstance(kind, tuple) else (name, kind)
        for name, kind in declared.items()
        if kind is not None
    ]
    return schema(msgspec.defstruct("Released", named, kw_only=True))


def test_the_same_is_compatible() -> None:
    assert breaks(schema(Released), changed()) == []


def test_fields_that_need_not_be_there_and_further_values_may_come() -> None:
    grown = changed(
        location_id=(str | None, None), state=Literal["new", "done", "routing"], tags=(str, "")
    )
    assert breaks(schema(Released), grown) == []


@pytest.mark.parametrize(
    ("now", "field", "what"),
    [
        ({"member_id": None}, "member_id", "removed"),
        ({"group_id": None}, "group_id", "removed"),
        ({"member_id": int}, "member_id", "type"),
        ({"location_id": str}, "location_id", "has to be there"),
        ({"group_id": (str, "")}, "group_id", "type"),
        ({"group_id": str | None}, "group_id", "has to be there"),
        ({"member_id": (str, "")}, "member_id", "need not be there"),
        ({"state": Literal["new"]}, "state", "done"),
        ({"state": str}, "state", "type"),
        ({"group_id": (str | None, "none")}, "group_id", "default"),
        ({"place": HigherPlace}, "place.floor", "removed"),
        ({"place": StrictPlace}, "place.floor", "has to be there"),
        ({"people": (tuple[StrictPlace, ...], ())}, "people[].floor", "has to be there"),
        ({"people": (tuple[str, ...], ())}, "people[]", "type"),
    ],
)
def test_what_is_not_compatible_is_named(now: dict[str, Any], field: str, what: str) -> None:
    found = breaks(schema(Released), changed(**now))
    assert any(one.startswith(f"{field}: ") and what in one for one in found), found


@pytest.mark.parametrize(("family", "path"), RELEASED)
def test_a_released_event_has_only_grown(family: Family, path: Path) -> None:
    released = json.loads(path.read_text())
    if path.stem not in family.shapes:
        # It is not written any more, but what was stored has to be read for ever.
        assert conversation_events.is_read(path.stem), f"{path.stem} was released and is gone"
        return
    assert breaks(released, family.schema(path.stem)) == [], (
        f"{path.stem} is released: let it be, and declare the next version beside it"
        " (with an upcaster, where it is stored)"
    )


def test_something_is_released() -> None:
    assert {family.folder.name for family in families()} == {
        "events",
        "conversation",
        "routing",
    }
    assert len(RELEASED) > 30


def test_every_event_says_why_it_is_there() -> None:
    silent = [n for family in families() for n, shape in family.shapes.items() if not shape.__doc__]
    assert silent == [], "the first line of its docstring is its reason in docs/events.md"


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m parley.events"
