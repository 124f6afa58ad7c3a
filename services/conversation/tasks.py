"""What is asked of an aggregate, what comes of it, and what the kinds of aggregate differ in."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from libs.aggregates.aggregate import Snapshot
from libs.events.conversation.case import Audience
from libs.eventstore.commits import Commit, PublicMessage
from libs.runtime.mongo import Document
from services.conversation.domain.aggregate import Change
from services.conversation.domain.refusal import RuleBroken
from services.conversation.privacy.sealed_payload import Owner

_EVENT_WEIGHT_BYTES: Final = 2_000


class NotThere(Exception):
    """No such conversation in the workspace, or not one that the caller may see."""


class TooMuch(Exception):
    """The effect of one task alone is more than a commit may hold."""


class Unfit(Exception):
    """The effect of the task holds what no store can: an instant that has no UTC value, a number
    beyond 64 bits, half of a character."""


@dataclass(frozen=True, slots=True, eq=False)
class Task[A]:
    """One thing to decide on one stream. ``decide`` calls the aggregate's methods.

    It may run more than once, each time on a newer state; only the last counts. Errors that it
    may raise: RuleBroken, NotThere. ``weight_bytes``: about how large its events are. ``audience``
    is told with a delivery's change, which does not know its conversation. ``covers``: the
    causes of what is dealt with by it too, and is then a repeat.
    """

    workspace_id: str
    stream: str
    cause: str
    decide: Callable[[A], None]
    trace: Mapping[str, str] = field(default_factory=dict)
    weight_bytes: int = _EVENT_WEIGHT_BYTES
    audience: Audience | None = None
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done[S]:
    """The state afterwards, and the task's own changes: none where there was nothing to do, or
    it had been done before (``repeated``)."""

    snapshot: Snapshot[S] | None
    changes: Sequence[Change[S]] = ()
    repeated: bool = False


type NotDone = RuleBroken | NotThere | TooMuch | Unfit
type Outcome[S] = Done[S] | NotDone


def reason_of(refusal: Outcome[object]) -> str:
    """Why a message of Kafka's could not be applied, for its dead letter."""
    if isinstance(refusal, NotThere):
        return "its conversation is not one of its workspace"
    if isinstance(refusal, TooMuch):
        return "it is larger than a commit may be"
    if isinstance(refusal, Unfit):
        return "it holds what no store can hold"
    return f"the case does not allow it: {type(refusal).__name__}"


class Kind[S, A](Protocol):
    """A kind of aggregate: how it is made, told to the world, and kept in read models."""

    def owns(self, commit: Commit) -> bool: ...

    def make(self, stream: str, snapshot: Snapshot[S] | None, now: datetime) -> A: ...

    def workspace_of(self, state: S) -> str: ...

    def owner_of(self, state: S) -> Owner | None:
        """Whose personal data its events hold; None where they hold none."""
        ...

    def public(self, aggregate: A, origins: Sequence[Task[A]]) -> tuple[PublicMessage, ...]:
        """The public messages of the changes; ``origins`` are their tasks, one a change."""
        ...

    async def find(self, streams: Collection[str]) -> dict[str, Snapshot[S]]:
        """The states that the read model's rows hold."""
        ...

    def row(self, stream: str, snapshot: Snapshot[S]) -> Document:
        """The read model's row of a state."""
        ...

    def beside(self, commits: Sequence[Commit]) -> Sequence[Document]:
        """What else the commits say in the read models, for nothing of it must be impossible to
        write down."""
        ...

    async def write(
        self,
        rows: Mapping[str, Document],
        snapshots: Mapping[str, Snapshot[S]],
        commits: Sequence[Commit],
    ) -> None:
        """Update the read models with the newest states, and with what the commits say."""
        ...
