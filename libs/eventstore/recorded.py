"""Stored events as the `eventsourcing` library moves them, with what a commit says of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from libs.eventstore.commits import Commit

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class RecordedEvent(StoredEvent):
    """A stored event of the library that knows its commit.

    `recorded_at`: of the commit. `head`: the commit's hash where the event is the commit's last,
    on which the next commit follows; else empty, and so is that of an event that is to be stored.

    It equals the library's plain event of the same place and content, whenever it was recorded.
    """

    recorded_at: datetime = _EPOCH
    head: bytes = b""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredEvent) and _content(self) == _content(other)

    def __hash__(self) -> int:
        return hash(_content(self))


def recorded_events(commit: Commit, originator_id: UUID | str) -> Iterator[RecordedEvent]:
    """Those of a commit; the last has its hash. `originator_id`: the stream as the library says."""
    for version, event in enumerate(commit.events, commit.first):
        head = commit.hash if version == commit.last else b""
        yield RecordedEvent(
            originator_id, version, event.type, event.data, commit.recorded_at, head
        )


def _content(event: StoredEvent) -> tuple[object, ...]:
    return event.originator_id, event.originator_version, event.topic, event.state
