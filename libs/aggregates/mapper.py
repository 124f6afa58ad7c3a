"""The library's mapper over the kit's events: their stable names, msgspec, upcasters.

What is sealed in a payload is the store's business: who reads through a store that opens what it
reads, maps what is open.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    AggregateRecorder,
    EventStore,
    JSONTranscoder,
    Mapper,
    StoredEvent,
)

from libs.aggregates.aggregate import DomainEvent, StateSnapshot
from libs.aggregates.events import EventTypes
from libs.eventstore.recorded import RecordedEvent

_encode: Final = msgspec.msgpack.Encoder().encode


class _Kept[S](msgspec.Struct, frozen=True, array_like=True):
    recorded_at: datetime
    head: bytes
    state: S


class EventMapper[S](Mapper[str]):
    """Between a service's events and what is stored. `state`: of the aggregate of which snapshots
    are kept; without it, there are none."""

    def __init__(self, types: EventTypes[Any], state: type[S] | None = None) -> None:
        # Never asked: every event is written by its own encoder.
        super().__init__(JSONTranscoder())
        self._types = types
        self._snapshots: msgspec.msgpack.Decoder[_Kept[S]] | None = None
        self._snapshot_topic = ""
        if state is not None:
            self._snapshots = msgspec.msgpack.Decoder(_Kept[state])  # type: ignore[valid-type]
            self._snapshot_topic = f"snapshot.{_form_of(state)}"

    def is_snapshot(self, stored_event: StoredEvent) -> bool:
        """Whether it is a snapshot of a state of the present shape."""
        return stored_event.topic == self._snapshot_topic

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> RecordedEvent:
        """Errors: TypeError (it is neither of the kit's events nor of its snapshots)."""
        match domain_event:
            case DomainEvent(stream, version, event, at, head):
                topic, data = self._types.name_of(event), self._types.encode(event)
            case StateSnapshot(stream, version, state, at, head) if self._snapshots:
                topic, data = self._snapshot_topic, _encode(_Kept(at, head, state))
            case _:
                raise TypeError(f"{type(domain_event).__name__} cannot be stored")
        return RecordedEvent(stream, version, topic, data, at, head)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEvent[S] | StateSnapshot[S]:
        """Errors: UnknownEvent, UnreadableEvent."""
        stream, version = str(stored_event.originator_id), stored_event.originator_version
        if self._snapshots and self.is_snapshot(stored_event):
            kept = self._snapshots.decode(stored_event.state)
            return StateSnapshot(stream, version, kept.state, kept.recorded_at, kept.head)
        event = self._types.decode(stored_event.topic, stored_event.state)
        if not isinstance(stored_event, RecordedEvent):
            raise TypeError("the recorder does not say when the event was recorded")
        return DomainEvent(stream, version, event, stored_event.recorded_at, stored_event.head)


class SnapshotStore[S](EventStore[str]):
    """Snapshots of the present shape. One of another shape, kept by an older version or a newer
    one, is left out: then the aggregate is rebuilt from its events."""

    def __init__(self, mapper: EventMapper[S], recorder: AggregateRecorder) -> None:
        super().__init__(mapper, recorder)
        self._is_snapshot = mapper.is_snapshot

    def get(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Iterator[DomainEventProtocol[str]]:
        found = self.recorder.select_events(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        return map(self.mapper.to_domain_event, filter(self._is_snapshot, found))


def _form_of(state: type) -> str:
    """The same for the same shape, in every process."""
    schema = msgspec.json.encode(msgspec.json.schema(state), order="sorted")
    return hashlib.sha256(schema).hexdigest()[:16]
