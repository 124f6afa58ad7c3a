"""The public types are a contract: schemas, golden payloads and the code say the same."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from libs.events import schemas
from libs.events.envelope import Envelope
from libs.events.registry import (
    InvalidBody,
    NewerType,
    TypeSpec,
    UnknownType,
    all_types,
    decode,
    encode,
    public,
    spec_of,
)
from libs.events.topics import Topic, topic_specs

GOLDEN = Path(__file__).parent / "golden"
TYPES = [pytest.param(spec, id=spec.name) for spec in all_types()]

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def _is_instant(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def golden(spec: TypeSpec) -> Any:
    return json.loads((GOLDEN / f"{spec.name}.json").read_bytes())


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=formats)


def test_every_type_has_a_golden_payload_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {spec.name for spec in all_types()}


def test_the_written_schemas_are_those_of_the_code() -> None:
    written = {path: path.read_text() for path in schemas.FOLDER.glob("*.json")}

    assert written == schemas.files(), "run python -m libs.events.schemas"


@pytest.mark.parametrize("spec", TYPES)
def test_the_golden_payload_is_read_and_written_as_it_was(spec: TypeSpec) -> None:
    payload = golden(spec)

    body = decode(spec.name, json.dumps(payload).encode())

    assert spec_of(body) is spec
    assert json.loads(encode(body)) == payload


@pytest.mark.parametrize("spec", TYPES)
def test_the_golden_payload_is_valid_by_its_schema(spec: TypeSpec) -> None:
    schema = json.loads((schemas.FOLDER / f"{spec.name}.json").read_text())

    validator(schema).validate(golden(spec))


@pytest.mark.parametrize("spec", TYPES)
def test_schema_and_code_refuse_the_same(spec: TypeSpec) -> None:
    """Each field of the payload in turn: missing, and of a type that no field has."""
    check = validator(schemas.schema_of(spec))
    payload = golden(spec)
    for field in payload:
        for changed in (
            {name: value for name, value in payload.items() if name != field},
            payload | {field: {"not": ["this", None]}},
        ):
            try:
                decode(spec.name, json.dumps(changed).encode())
                understood = True
            except InvalidBody:
                understood = False
            assert check.is_valid(changed) is understood, field


@pytest.mark.parametrize("spec", TYPES)
def test_a_newer_producer_may_add_a_field(spec: TypeSpec) -> None:
    payload = golden(spec) | {"a_field_of_the_future": 1}

    assert json.loads(encode(decode(spec.name, json.dumps(payload).encode()))) == golden(spec)


def test_a_time_without_its_zone_is_refused() -> None:
    name = "parley.notification.raised.v1"
    payload = json.loads((GOLDEN / f"{name}.json").read_bytes())

    with pytest.raises(InvalidBody, match="raised_at"):
        decode(name, json.dumps(payload | {"raised_at": "2026-11-22T09:30:01"}).encode())


def test_a_type_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match=r"parley\.case\.taken\.v1"):
        public("parley.case.taken.v1", Topic.CONVERSATION)(all_types()[0].body)


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(UnknownType, match=r"parley\.future\.v9"):
        decode("parley.future.v9", b"{}")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("parley.case.taken.v2", NewerType),
        ("parley.something-new.v1", NewerType),
        ("parley.case.taken", UnknownType),
        ("parley.case.taken.v0", UnknownType),
        ("com.example.taken.v2", UnknownType),
        ("", UnknownType),
    ],
)
def test_a_type_of_a_newer_version_is_told_from_garbage(name: str, kind: type[UnknownType]) -> None:
    with pytest.raises(UnknownType) as caught:
        decode(name, b"{}")
    assert type(caught.value) is kind


NOT_A_BODY = {
    "empty": b"",
    "cut": b"{",
    "a list": b"[]",
    "null": b"null",
    "no text": b'{"member_id": "\xff"}',
    "half a character": b'{"member_id": "\\ud800"}',
    "nested without end": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("payload", NOT_A_BODY.values(), ids=NOT_A_BODY)
def test_what_is_not_a_body_is_refused_without_showing_it(payload: bytes) -> None:
    with pytest.raises(InvalidBody, match=r"parley\.notification\.raised\.v1"):
        decode("parley.notification.raised.v1", payload)


def test_the_type_of_an_event_says_where_it_goes() -> None:
    for spec in all_types():
        body = decode(spec.name, json.dumps(golden(spec)).encode())
        envelope = Envelope(
            id="1",
            source="/t",
            subject="s",
            key="k",
            workspace_id="w",
            sequence=1,
            time=datetime.fromisoformat("2026-11-22T09:30:00+00:00"),
            body=body,
        )
        assert envelope.topic is spec.topic


def test_each_topic_has_its_dead_letter_twin() -> None:
    names = {spec.name: spec for spec in topic_specs()}

    assert set(names) == {n for topic in Topic for n in (topic.value, topic.dead_letter)}
    assert names["parley.directory"].retention_ms is None
    assert names["parley.directory"].partitions == 1
    assert all(
        names[topic.dead_letter].retention_ms
        and (names[topic.dead_letter].retention_ms or 0) >= (names[topic].retention_ms or 0)
        for topic in Topic
    )
