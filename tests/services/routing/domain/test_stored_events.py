"""Stored events are for ever: what was written once is read by every later version."""

import json
from pathlib import Path

import pytest

from libs.aggregates.events import UnreadableEvent
from services.routing.domain.events import EVENTS

GOLDEN = Path(__file__).parents[1] / "golden"


def test_every_event_has_a_golden_payload() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == EVENTS.names()


@pytest.mark.parametrize("name", EVENTS.names())
def test_the_golden_payload_is_read_and_written_as_it_was(name: str) -> None:
    payload = (GOLDEN / f"{name}.json").read_bytes()

    event = EVENTS.decode(name, payload)

    assert EVENTS.name_of(event) == name
    assert json.loads(EVENTS.encode(event)) == json.loads(payload)


@pytest.mark.parametrize("name", EVENTS.names())
def test_an_event_of_another_type_is_not_read(name: str) -> None:
    with pytest.raises(UnreadableEvent):
        EVENTS.decode(name, b"{}")
