"""What the aggregates of this service do alike, beside what every aggregate does."""

from typing import Any

from msgspec.structs import replace

from libs.aggregates import aggregate
from services.conversation.domain.events import Event

type Change[S] = aggregate.Change[S, Event[Any]]


class Aggregate[S](aggregate.Aggregate[S, Event[Any]]):
    """Public methods refuse what a rule does not allow, with a ``domain.refusal.Refusal``."""

    def begins_after(self, erasures: int) -> None:
        """The stream begins with the changes, and its person was forgotten so often before: its
        first event says so, lest what is new is taken for what was to be forgotten."""
        first, *others = [change.event for change in self.changes]
        self.state, self.version = None, 0
        self.changes.clear()
        for event in (replace(first, erasures=erasures), *others):
            self._trigger(event)
