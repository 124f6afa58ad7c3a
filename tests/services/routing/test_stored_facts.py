"""Stored events are for ever: what was written once is read by every later version."""

import json
from pathlib import Path

import msgspec
import pytest

from libs.eventstore.commits import StoredEvent
from services.routing.domain.facts import all_facts, from_stored, to_stored

GOLDEN = Path(__file__).parent / "golden"


def test_every_fact_has_a_golden_payload() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(all_facts())


@pytest.mark.parametrize("name", sorted(all_facts()))
def test_the_golden_payload_is_read_and_written_as_it_was(name: str) -> None:
    payload = (GOLDEN / f"{name}.json").read_bytes()

    fact = from_stored(StoredEvent(name, payload))

    assert to_stored(fact).type == name
    assert json.loads(to_stored(fact).data) == json.loads(payload)


@pytest.mark.parametrize("name", sorted(all_facts()))
def test_a_fact_of_another_type_is_not_read(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        from_stored(StoredEvent(name, b"{}"))
