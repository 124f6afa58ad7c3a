"""An enumeration's value of tomorrow is a newer version's, wherever it stands in an event."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from libs.events import schemas
from libs.events.registry import InvalidBody, NewerType, TypeSpec, all_types, decode

GOLDEN = Path(__file__).parent / "golden"
NAME = "parley.inbound.received.v1"
type Where = tuple[str | int, ...]


def enumerations(value: Any, node: Any, schema: Any, where: Where = ()) -> Iterator[Where]:
    """Where in ``value`` its schema lets only certain texts stand."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if any(isinstance(one, str) for one in node.get("enum", ())):
        yield where
    for alternative in node.get("anyOf", ()):
        yield from enumerations(value, alternative, schema, where)
    if isinstance(value, dict):
        rest = node.get("additionalProperties")
        for name, one in value.items():
            of_name = node.get("properties", {}).get(name, rest)
            if isinstance(of_name, dict):
                yield from enumerations(one, of_name, schema, (*where, name))
    if isinstance(value, list) and isinstance(node.get("items"), dict):
        for index, one in enumerate(value):
            yield from enumerations(one, node["items"], schema, (*where, index))


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_bytes())


def changed(payload: Any, where: Where, value: Any) -> bytes:
    payload = deepcopy(payload)
    inner = payload
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = value
    return json.dumps(payload).encode()


CASES = [
    pytest.param(spec, where, id=f"{spec.name}:{'.'.join(map(str, where))}")
    for spec in all_types()
    for schema in [schemas.schema_of(spec)]
    for where in dict.fromkeys(enumerations(golden(spec.name), schema, schema))
]


def test_channels_kinds_and_roles_are_among_the_cases() -> None:
    names = {str(case.values[1][-1]) for case in CASES}  # type: ignore[index]

    assert {"channel", "kind", "role", "state", "direction", "reason", "language"} <= names


@pytest.mark.parametrize(("spec", "where"), CASES)
def test_a_value_of_tomorrow_is_a_newer_versions(spec: TypeSpec, where: Where) -> None:
    with pytest.raises(NewerType, match=str(where[-1]) if isinstance(where[-1], str) else "says"):
        decode(spec.name, changed(golden(spec.name), where, "of_tomorrow"))


def test_several_of_them_are_told() -> None:
    payload = golden(NAME) | {"channel": "pigeon", "direction": "sideways"}

    with pytest.raises(NewerType, match="direction, channel"):
        decode(NAME, json.dumps(payload).encode())


@pytest.mark.parametrize(
    "value", [None, 7, "", "not a value", "\u0000", "x" * 65, {"pigeon": 1}, ["pigeon"]]
)
def test_what_is_no_value_of_an_enumeration_is_no_body(value: Any) -> None:
    with pytest.raises(InvalidBody):
        decode(NAME, changed(golden(NAME), ("channel",), value))


def test_what_is_wrong_besides_is_no_newer_versions() -> None:
    payload = golden(NAME) | {"channel": "pigeon"}
    del payload["conversation_id"]

    with pytest.raises(InvalidBody):
        decode(NAME, json.dumps(payload).encode())


def test_a_body_that_breaks_off_behind_it_is_no_newer_versions() -> None:
    raw = json.dumps({"channel": "pigeon"} | golden(NAME) | {"channel": "pigeon"}).encode()

    with pytest.raises(InvalidBody):
        decode(NAME, raw[:-1])
