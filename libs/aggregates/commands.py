"""What is asked of an aggregate, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from libs.aggregates.aggregate import Change, RuleBroken, Snapshot

_EVENT_WEIGHT_BYTES: Final = 2_000


class NotThere(Exception):
    """No such aggregate in the workspace, or not one that the caller may see."""


class TooMuch(Exception):
    """The effect of one command alone is more than a commit may hold."""


class Unfit(Exception):
    """The effect of the command holds what no store can: an instant that has no UTC value, a number
    beyond 64 bits, half of a character."""


@dataclass(frozen=True, slots=True, eq=False)
class Command[A]:
    """One thing to decide on one stream. `decide` calls the aggregate's methods.

    `decide` may run more than once, each time on a newer state; only the last counts. Errors that
    it may raise: RuleBroken, NotThere. `cause` is applied to the stream once. `weight_bytes`: about
    how large its events are. `covers`: the causes of what is dealt with by it too, and is then a
    repeat. `trace`: headers of the public messages.
    """

    workspace_id: str
    stream: str
    cause: str
    decide: Callable[[A], None]
    trace: Mapping[str, str] = field(default_factory=dict)
    weight_bytes: int = _EVENT_WEIGHT_BYTES
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done[S]:
    """The state afterwards, and the command's own changes: none where there was nothing to do, or
    it had been done before (`repeated`)."""

    snapshot: Snapshot[S] | None
    changes: Sequence[Change[S, Any]] = ()
    repeated: bool = False


type NotDone = RuleBroken | NotThere | TooMuch | Unfit
type Outcome[S] = Done[S] | NotDone
