"""Stored events as the `eventsourcing` library moves them, with what a commit says of them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from eventsourcing.persistence import StoredEvent

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


def _content(event: StoredEvent) -> tuple[object, ...]:
    return event.originator_id, event.originator_version, event.topic, event.state
