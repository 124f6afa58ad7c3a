"""Given these events, when one command is called, then these events follow, or a refusal.

    given([*NEW, taken("dima")]).when(lambda c: c.take("olena")).then_refused(TakenBy)

Each service's own ``given`` says of which aggregate, and what its refusals are: `Given`.

The aggregate is the real one, and so are the events: what stands before a command is what a stream
would hold, and nothing that the rules under test decided themselves.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from libs.aggregates.aggregate import Aggregate, Snapshot
from libs.aggregates.events import Event

NOON: Final = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
STREAM: Final = "cnv_1"


def minutes(number: float) -> datetime:
    """So many minutes after noon of the day on which scenarios play."""
    return NOON + timedelta(minutes=number)


LATER: Final = minutes(9)


class Then[A: Aggregate[Any, Any]]:
    """What became of a command."""

    def __init__(self, aggregate: A, refusal: Exception | None) -> None:
        self.aggregate = aggregate
        self.refusal = refusal

    @property
    def events(self) -> list[Event[Any]]:
        """What was decided. Errors: the refusal, where it was refused."""
        if self.refusal is not None:
            raise self.refusal
        return [change.event for change in self.aggregate.changes]

    def then(self, expected: Sequence[Event[Any]]) -> A:
        """Exactly these events were decided: the aggregate after them."""
        assert self.events == list(expected)
        return self.aggregate

    def then_nothing(self) -> A:
        """It was allowed, and nothing had to change."""
        return self.then([])

    def then_refused(self, error: type[Exception], **fields: object) -> None:
        """Just this error, with these fields, and not an event."""
        assert type(self.refusal) is error, self.refusal or self.events
        told = {name: getattr(self.refusal, name) for name in fields}
        assert told == fields
        assert self.aggregate.changes == []


class Given[A: Aggregate[Any, Any]]:
    """A stream with these events, which were recorded by noon."""

    def __init__(
        self, kind: type[A], refusals: type[Exception], history: Sequence[Event[Any]]
    ) -> None:
        self._kind = kind
        self._refusals = refusals
        state: Any = None
        for event in history:
            state = event.apply(state)
        self._snapshot = Snapshot(len(history), NOON, state) if history else None

    @property
    def state(self) -> Any:
        """Where the events have led."""
        return self.at(NOON).state

    def at(self, now: datetime) -> A:
        """The aggregate as it is loaded at ``now``."""
        return self._kind(STREAM, self._snapshot, now)

    def when(self, command: Callable[[A], object], at: datetime = LATER) -> Then[A]:
        """One command on what is loaded at ``at``. A refusal is a result; other errors raise."""
        aggregate = self.at(at)
        try:
            command(aggregate)
        except self._refusals as refusal:
            return Then(aggregate, refusal)
        return Then(aggregate, None)
