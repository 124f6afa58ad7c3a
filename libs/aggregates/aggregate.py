"""What every aggregate does alike: keep its state and version, and remember what it decided.

An `Aggregate` and its events satisfy the protocols of `eventsourcing.domain`, so that the library's
`Application` saves it and its `Repository` rebuilds it (`project` is the projector function).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import msgspec

from libs.aggregates.events import Event


class RuleBroken(Exception):
    """The aggregate's rules do not allow it now."""


class Change[S, E: Event[Any]](msgspec.Struct, frozen=True, gc=False):
    """One event that was decided: its version in the stream, and the state around it."""

    version: int
    event: E
    before: S | None
    after: S


class Snapshot[S](msgspec.Struct, frozen=True, gc=False):
    """An aggregate as it stands at a version. States are immutable, so it may be shared.

    `head`: the hash of the commit that ends at the version, on which the next one follows; empty
    while that commit is only being decided, or where nobody decides anything on it.
    """

    version: int
    recorded_at: datetime
    state: S
    head: bytes = b""


class DomainEvent[S](msgspec.Struct, frozen=True, gc=False):
    """An event in its place: the library's domain event.

    `originator_id` is the stream. `head`: the hash of the event's commit, of which it is the last
    event; empty where it is not, or is not stored yet.
    """

    originator_id: str
    originator_version: int
    event: Event[S]
    recorded_at: datetime
    head: bytes = b""


class StateSnapshot[S](msgspec.Struct, frozen=True, gc=False):
    """A stream's state at a version: the library's snapshot. The fields are `DomainEvent`'s."""

    originator_id: str
    originator_version: int
    state: S
    recorded_at: datetime
    head: bytes = b""

    @classmethod
    def take(cls, aggregate: "Aggregate[S, Any]") -> "StateSnapshot[S]":
        """Of the aggregate as it was loaded. Errors: ValueError (it has no events yet)."""
        now = aggregate.snapshot()
        return cls(aggregate.id, now.version, now.state, now.recorded_at, aggregate.head)


class Aggregate[S, E: Event[Any]]:
    """Public methods check the rule and then trigger; an event's `apply` makes the next state.

    `now` is the time at which this decision is recorded; it does not run backwards within a
    stream, whatever the clocks of two replicas say. `E` is the base of the service's events.
    """

    def __init__(self, stream: str, snapshot: Snapshot[S] | None, now: datetime) -> None:
        self.stream = stream
        self.loaded_version = snapshot.version if snapshot else 0
        self.version = self.loaded_version
        self.state: S | None = snapshot.state if snapshot else None
        self.head = snapshot.head if snapshot else b""
        self.now = max(now, snapshot.recorded_at) if snapshot else now
        self.changes: list[Change[S, E]] = []

    @property
    def id(self) -> str:
        """The stream's name."""
        return self.stream

    def snapshot(self) -> Snapshot[S]:
        """The aggregate with its changes. Errors: ValueError (it has no events yet)."""
        if self.state is None:
            raise ValueError(f"{self.stream} has no events yet")
        return Snapshot(self.version, self.now, self.state)

    def undo_to(self, count: int) -> None:
        """Only the first `count` changes stay: a refused decision leaves no half of it."""
        if count < len(self.changes):
            self.state = self.changes[count].before
            self.version = self.changes[count].version - 1
            del self.changes[count:]

    def collect_events(self) -> list[DomainEvent[S]]:
        """The changes as the library's events; afterwards there are none."""
        events = [
            DomainEvent(self.stream, change.version, change.event, self.now)
            for change in self.changes
        ]
        self.changes.clear()
        self.loaded_version = self.version
        return events

    @classmethod
    def project(
        cls, aggregate: Self | None, events: Iterable[DomainEvent[S] | StateSnapshot[S]]
    ) -> Self | None:
        """The aggregate after these events of its stream: the library's projector function."""
        for one in events:
            stream, at = one.originator_id, one.recorded_at
            if isinstance(one, StateSnapshot):
                known = Snapshot(one.originator_version, at, one.state, one.head)
                aggregate = cls(stream, known, at)
                continue
            if aggregate is None:
                aggregate = cls(stream, None, at)
            aggregate.state = one.event.apply(aggregate.state)
            aggregate.version = aggregate.loaded_version = one.originator_version
            aggregate.now, aggregate.head = max(aggregate.now, at), one.head
        return aggregate

    def _trigger(self, event: E) -> None:
        before = self.state
        after: S = event.apply(before)
        self.state = after
        self.version += 1
        self.changes.append(Change(self.version, event, before, after))
