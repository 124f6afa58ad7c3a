"""Aggregates rebuilt from commits that were read already."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.events import UnknownEvent
from libs.aggregates.rebuilding import rebuilt
from libs.aggregates.repository import replay
from libs.eventstore.commits import Commit, StoredEvent
from tests.support.aggregates.lamps import LAMPS, Dimmed, Hung, Lamp, LampEvent, LampState

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def commit(first: int, minute: int, *events: LampEvent) -> Commit:
    return Commit(
        stream="lamp_1",
        first=first,
        causes=(f"minute-{minute}",),
        recorded_at=NOON + timedelta(minutes=minute),
        events=tuple(StoredEvent(LAMPS.name_of(one), LAMPS.encode(one)) for one in events),
    )


HUNG = commit(1, 0, Hung(workspace_id="wsp_1"), Dimmed(percent=10))
DIMMED = commit(3, 7, Dimmed(percent=20))


def test_the_state_has_the_place_time_and_hash_of_the_last_commit() -> None:
    state = LampState("wsp_1", percent=20, dimmed_times=2)
    known = Snapshot(3, NOON + timedelta(minutes=7), state, DIMMED.hash)
    assert rebuilt(LAMPS, Lamp, [HUNG, DIMMED]) == known


def test_it_is_the_state_on_which_the_hot_loop_decides() -> None:
    assert rebuilt(LAMPS, Lamp, [HUNG, DIMMED]) == replay(LAMPS, None, [HUNG, DIMMED])


def test_an_event_of_a_newer_version_is_told() -> None:
    newer = Commit(
        stream="lamp_1",
        first=3,
        causes=("minute-8",),
        recorded_at=NOON,
        events=(StoredEvent("lamp.sold.v1", b"{}"),),
    )
    with pytest.raises(UnknownEvent):
        rebuilt(LAMPS, Lamp, [HUNG, newer])
