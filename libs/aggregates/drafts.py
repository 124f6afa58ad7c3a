"""What is decided on one stream in one round, before it is committed."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.aggregates.aggregate import Aggregate, RuleBroken, Snapshot
from libs.aggregates.aggregate_type import AggregateType
from libs.aggregates.commands import Command, Done, NotThere, Outcome, Unfit
from libs.aggregates.projection import Projected
from libs.aggregates.repository import Loaded
from libs.eventstore.commits import GENESIS, Commit
from libs.eventstore.decisions import Decision


class CoveredMeanwhile(Exception):
    """What a command covers has come after it was looked up."""


@dataclass(slots=True, eq=False)
class Draft[S, A: Aggregate[Any, Any]]:
    """A stream's decisions of one round.

    `prev`: the hash of the commit that these follow on. `origins`: the command of each change.
    `doubtful`: something was refused or had no effect. `unseen`: for one who asked, it is not
    there. `later` did not fit into the commit.
    """

    aggregate: A
    prev: bytes
    pending: list[Commit]
    answers: list[tuple[Command[A], Outcome[S]]] = field(default_factory=list)
    later: list[Command[A]] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    origins: list[Command[A]] = field(default_factory=list)
    doubtful: bool = False
    unseen: bool = False
    decision: Decision[Projected[S]] | None = None

    @property
    def stream(self) -> str:
        return self.aggregate.stream

    @property
    def only_repeats(self) -> bool:
        """Nothing is decided, and something was before."""
        outcomes = (outcome for _, outcome in self.answers)
        return not self.aggregate.changes and any(
            isinstance(outcome, Done) and outcome.repeated for outcome in outcomes
        )


def draft_of[S, A: Aggregate[Any, Any]](
    aggregate_type: AggregateType[S, A],
    commands: Sequence[Command[A]],
    loaded: Loaded[S],
    applied: Set[str],
    limit: int,
    now: datetime,
) -> Draft[S, A]:
    """Decide the commands, all of one stream, in their order.

    `applied`: those of their causes that the stream has had, as far as was looked up. `limit`:
    bytes of a commit. Errors: CoveredMeanwhile, and what `decide` raises beside its refusals.
    """
    known = loaded.snapshot
    aggregate = aggregate_type.make(commands[0].stream, known, now)
    draft: Draft[S, A] = Draft(aggregate, known.head if known else GENESIS, loaded.pending)
    workspace_id = aggregate_type.workspace_of(known.state) if known else None
    weight = 0
    for at, command in enumerate(commands):
        if aggregate.changes and weight + command.weight_bytes > limit:
            draft.later = list(commands[at:])
            break
        if workspace_id is not None and workspace_id != command.workspace_id:
            draft.answers.append((command, NotThere()))
            draft.doubtful = draft.unseen = True
            continue
        if command.cause in draft.causes or command.cause in applied:
            draft.answers.append((command, Done(_state(aggregate), repeated=True)))
            continue
        if not applied.isdisjoint(command.covers):
            raise CoveredMeanwhile
        decided = len(aggregate.changes)
        try:
            command.decide(aggregate)
        except (RuleBroken, NotThere) as refusal:
            aggregate.undo_to(decided)
            draft.answers.append((command, refusal))
            draft.doubtful = True
            draft.unseen |= isinstance(refusal, NotThere)
            continue
        except OverflowError:
            aggregate.undo_to(decided)
            draft.answers.append((command, Unfit()))
            continue
        changes = aggregate.changes[decided:]
        draft.answers.append((command, Done(_state(aggregate), changes)))
        draft.doubtful |= not changes
        if changes:
            draft.causes += [command.cause, *command.covers]
            draft.origins += [command] * len(changes)
            weight += command.weight_bytes
    return draft


def _state(aggregate: Aggregate[Any, Any]) -> Snapshot[Any] | None:
    return aggregate.snapshot() if aggregate.state is not None else None
