"""The kit's aggregates in an application of the `eventsourcing` library."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import CollectEventsProtocol, DomainEventProtocol
from eventsourcing.persistence import EventStore, Mapper, StoredEvent

from libs.aggregates.aggregate import DomainEvent, StateSnapshot
from libs.aggregates.events import UnknownEvent
from libs.aggregates.mapper import EventMapper, SnapshotStore
from tests.support.aggregates.lamps import LAMPS, Dimmed, Lamp, LampState

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LAMP = "lamp_1"


class Lamps(Application[str]):
    """Snapshots every third event, and no aggregate in memory."""

    snapshot_class = StateSnapshot
    snapshotting_intervals: ClassVar[dict[type[Any], int]] = {Lamp: 3}
    snapshotting_projectors: ClassVar[dict[type[Any], Any]] = {Lamp: Lamp.project}

    def construct_mapper(self) -> Mapper[str]:
        return EventMapper(LAMPS, LampState)

    def construct_snapshot_store(self) -> EventStore[str]:
        mapper = self.mapper
        assert isinstance(mapper, EventMapper)
        return SnapshotStore(mapper, self.factory.aggregate_recorder("snapshots"))

    def lamp(self, version: int | None = None) -> Lamp:
        lamp: Lamp = self.repository.get(LAMP, version=version, projector_func=Lamp.project)
        return lamp


def test_an_application_saves_and_rebuilds_an_aggregate() -> None:
    app = Lamps()
    lamp = Lamp(LAMP, None, NOON)
    lamp.hang("wsp_1")
    lamp.dim(40)
    app.save(lamp)
    assert not lamp.changes

    again = app.lamp()
    again.now += timedelta(hours=1)
    again.dim(30)
    app.save(again)

    assert (app.lamp().version, app.lamp().state) == (3, LampState("wsp_1", 30, 2))
    assert app.lamp().now == NOON + timedelta(hours=1)
    assert app.lamp(version=2).state == LampState("wsp_1", 40, 1)
    stored = app.recorder.select_events(LAMP)
    assert [(one.topic, one.state) for one in stored] == [
        ("lamp.hung.v1", b'{"workspace_id":"wsp_1"}'),
        ("lamp.dimmed.v1", b'{"percent":40}'),
        ("lamp.dimmed.v1", b'{"percent":30}'),
    ]


def test_an_aggregate_is_rebuilt_from_its_snapshot() -> None:
    app = Lamps()
    lamp = Lamp(LAMP, None, NOON)
    lamp.hang("wsp_1")
    for percent in (40, 30, 20):
        lamp.dim(percent)
    app.save(lamp)
    assert app.snapshots is not None

    [snapshot] = app.snapshots.get(LAMP)

    assert snapshot == StateSnapshot(LAMP, 3, LampState("wsp_1", 30, 2), NOON)
    assert app.lamp().state == LampState("wsp_1", 20, 3)


def test_a_snapshot_of_another_shape_is_left_out() -> None:
    app = Lamps()
    lamp = Lamp(LAMP, None, NOON)
    lamp.hang("wsp_1")
    lamp.dim(40)
    app.save(lamp)
    assert app.snapshots is not None
    app.snapshots.recorder.insert_events([StoredEvent(LAMP, 2, "snapshot.of-tomorrow", b"?")])

    assert list(app.snapshots.get(LAMP)) == []
    assert app.lamp().state == LampState("wsp_1", 40, 1)


def test_what_is_not_there_is_not_found() -> None:
    with pytest.raises(AggregateNotFoundError):
        Lamps().lamp()


def test_an_event_of_a_newer_version_is_not_skipped() -> None:
    app = Lamps()
    app.recorder.insert_events([StoredEvent(LAMP, 1, "lamp.exploded.v1", b"{}")])

    with pytest.raises(UnknownEvent, match=r"lamp\.exploded\.v1"):
        app.lamp()


def test_the_kit_satisfies_the_librarys_protocols() -> None:
    lamp = Lamp(LAMP, None, NOON)
    event = DomainEvent(LAMP, 1, Dimmed(percent=1), NOON)

    assert isinstance(lamp, CollectEventsProtocol)
    assert isinstance(event, DomainEventProtocol)
    assert isinstance(StateSnapshot(LAMP, 1, LampState("wsp_1"), NOON), DomainEventProtocol)
