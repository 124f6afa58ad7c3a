"""Values in requests: what not everything can hold is refused wherever it stands."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from libs.events.api.requests import RequestBody
from libs.events.instants import EARLIEST, LATEST, utc_of
from libs.events.registry import Instant
from libs.runtime.bodies import BodyReader
from libs.runtime.problems import Invalid


class Meeting(RequestBody):
    at: Instant | None = None
    rounds: tuple[Instant, ...] = ()
    seats: int = 0
    noted: dict[str, str | int | float | bool] = msgspec.field(default_factory=dict)


class Calendar(RequestBody):
    meetings: tuple[Meeting, ...] = ()


READER = BodyReader(Calendar)
BEYOND = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00+00:01",
    "2200-01-01T00:00:00Z",
    "2199-12-31T23:59:59-00:01",
)


def read(**meeting: Any) -> Meeting:
    return READER.decode(msgspec.json.encode({"meetings": [meeting]})).meetings[0]


@pytest.mark.parametrize("instant", BEYOND)
def test_an_instant_that_not_everything_can_hold_is_refused_by_its_name(instant: str) -> None:
    for meeting, field in (({"at": instant}, "at"), ({"rounds": [instant]}, "rounds[0]")):
        with pytest.raises(Invalid) as refused:
            read(**meeting)
        assert refused.value.detail == (
            f"meetings[0].{field}: must be a time within the years 1970 to 2199"
        )


def test_an_instant_is_kept_in_utc() -> None:
    kept = read(at="2026-11-22T01:30:00.25+02:00").at
    assert kept == datetime(2026, 11, 21, 23, 30, 0, 250_000, UTC)
    assert kept is not None
    assert kept.tzinfo is UTC


def test_the_edges_themselves_are_instants() -> None:
    assert read(at="1970-01-01T00:00:00Z").at == EARLIEST
    assert utc_of(LATEST) is None
    assert read(at="2199-12-31T23:59:59.999999Z").at is not None
    assert read(at="1969-12-31T23:59:00-00:01").at == EARLIEST


@pytest.mark.parametrize("seats", [2**53 + 1, -(2**53) - 1, 2**64, 10**30])
def test_a_number_that_clients_cannot_hold_is_refused(seats: int) -> None:
    for meeting in ({"seats": seats}, {"noted": {"seats": seats}}):
        with pytest.raises(Invalid):
            read(**meeting)
    assert read(seats=2**53).seats == 2**53


def test_a_time_without_its_zone_is_no_type_for_a_request() -> None:
    class Careless(RequestBody):
        at: datetime

    with pytest.raises(TypeError, match="needs its zone"):
        BodyReader(Careless)


def test_what_was_not_given_is_not_looked_at() -> None:
    class Asked(RequestBody):
        fields: dict[str, int] | UnsetType = UNSET

    assert BodyReader(Asked).decode(b"{}").fields is UNSET
    assert BodyReader(Asked).decode(b'{"fields": {"a": 1}}').fields == {"a": 1}
