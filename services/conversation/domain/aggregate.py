"""What every aggregate does alike: keep its state and version, and remember what it decided."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.conversation.domain.events import Event


class Change[S](msgspec.Struct, frozen=True, gc=False):
    """One event that was decided: its version in the stream, and the state around it."""

    version: int
    event: Event[S]
    before: S | None
    after: S


class Snapshot[S](msgspec.Struct, frozen=True, gc=False):
    """An aggregate as it stands at a version. States are immutable, so it may be shared.

    ``head``: the hash of the commit that ends at the version, on which the next one follows; empty
    while that commit is only being decided, or where nobody decides anything on it.
    """

    version: int
    recorded_at: datetime
    state: S
    head: bytes = b""


class Aggregate[S]:
    """Public methods check the rule and then trigger; an event's ``apply`` makes the next state.

    ``now`` is the time at which this decision is recorded; it does not run backwards within a
    stream, whatever the clocks of two replicas say.
    """

    def __init__(self, stream: str, snapshot: Snapshot[S] | None, now: datetime) -> None:
        self.stream = stream
        self.loaded_version = snapshot.version if snapshot else 0
        self.version = self.loaded_version
        self.state: S | None = snapshot.state if snapshot else None
        self.now = max(now, snapshot.recorded_at) if snapshot else now
        self.changes: list[Change[S]] = []

    def snapshot(self) -> Snapshot[S]:
        if self.state is None:
            raise ValueError(f"{self.stream} has no events yet")
        return Snapshot(self.version, self.now, self.state)

    def undo_to(self, count: int) -> None:
        """Only the first ``count`` changes stay: a refused decision leaves no half of it."""
        if count < len(self.changes):
            self.state = self.changes[count].before
            self.version = self.changes[count].version - 1
            del self.changes[count:]

    def begins_after(self, erasures: int) -> None:
        """The stream begins with the changes, and its person was forgotten so often before: its
        first event says so, lest what is new is taken for what was to be forgotten."""
        first, *others = [change.event for change in self.changes]
        self.state, self.version = None, 0
        self.changes.clear()
        for event in (replace(first, erasures=erasures), *others):
            self._trigger(event)

    def _trigger(self, event: Event[S]) -> None:
        before = self.state
        self.state = event.apply(before)
        self.version += 1
        self.changes.append(Change(self.version, event, before, self.state))
