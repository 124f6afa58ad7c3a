"""Where decisions are made and kept: load many aggregates, decide, commit, in few round trips.

Every command has a cause. The unique index on (stream, causes) is the truth about what was applied:
a commit with a cause that its stream has had is refused as a whole. Then, as after a conflict of
versions, the stream is loaded consistently, the store is asked which of the causes it has had, and
the rest is decided again without them. The same is done before a refusal, or "nothing to do", is
believed (see `repository.py`): a command that is repeated after a crash is not refused because of
its own first effect.

What is not there for who asks, be it somebody else's or nobody's, is looked for in the same steps:
whoever measures how long it takes learns nothing of what others have.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import bson
from bson.errors import BSONError
from msgspec.structs import replace

from libs.aggregates.aggregate import Aggregate, Snapshot
from libs.aggregates.aggregate_type import AggregateType
from libs.aggregates.commands import Command, Outcome, TooMuch, Unfit
from libs.aggregates.drafts import CoveredMeanwhile, Draft, draft_of
from libs.aggregates.events import EventTypes, UnreadableEvent
from libs.aggregates.projection import Projected
from libs.aggregates.repository import AggregateRepository, CommitStore, Loaded
from libs.aggregates.sealing import Seal, Sealer, unsealed
from libs.eventstore.commits import Appended, Commit, StoredEvent
from libs.eventstore.decisions import Decision
from libs.eventstore.errors import CommitTooLarge, CommitUnfit, StreamSetAside
from libs.eventstore.outbox import Outbox

_log = logging.getLogger(__name__)
_NO_CAUSES: Final[frozenset[str]] = frozenset()
# A stream that is fought over by many is decided again this often before the caller has to.
_ATTEMPTS: Final = 30
# From so many commands on it pays to overlap deciding with writing.
_LARGE: Final = 64
# A commit holds its events twice, stored and public; the store refuses it at 900 kB.
_COMMIT_WEIGHT_BYTES: Final = 300_000
# What is raised on writing down what cannot be.
_UNFIT: Final = (OverflowError, ValueError, BSONError, RecursionError, UnreadableEvent)


class Counter(Protocol):
    """As much of a metric as is counted here."""

    def inc(self) -> None: ...


@dataclass(slots=True)
class _Progress[S, A: Aggregate[Any, Any]]:
    """Across rounds: streams to be read although they are in memory, those to be loaded
    consistently, those that take one command a commit, and those that are set aside, on which
    nothing is decided."""

    outcomes: dict[Command[A], Outcome[S]] = field(default_factory=dict)
    unremembered: set[str] = field(default_factory=set)
    consistent: set[str] = field(default_factory=set)
    narrow: set[str] = field(default_factory=set)
    broken: dict[str, StreamSetAside] = field(default_factory=dict)


class CommandHandler[S, A: Aggregate[Any, Any]]:
    """Decides commands on streams of one type.

    `types`: the events that the streams hold. `sealer`: seals what is to be stored. `again`: raised
    where the batch has to be given again, because others were faster. `appended` counts commits,
    `conflicts` those that were refused.
    """

    def __init__(
        self,
        aggregate_type: AggregateType[S, A],
        repository: AggregateRepository[S],
        types: EventTypes[Any],
        store: CommitStore,
        outbox: Outbox,
        *,
        again: type[Exception],
        appended: Counter,
        conflicts: Counter,
        sealer: Sealer[A] = unsealed,
    ) -> None:
        self._type = aggregate_type
        self._repository = repository
        self._events = types
        self._store = store
        self._outbox = outbox
        self._again = again
        self._appended = appended
        self._conflicts = conflicts
        self._sealer = sealer

    async def handle(self, commands: Sequence[Command[A]]) -> list[Outcome[S]]:
        """Decide the commands, those of one stream in the order given; an outcome for each.

        All effects are durable, in the read models and on Kafka when it returns. Errors: the
        driver's and the broker's, and `again`; some effects may then be stored, and repeating is
        harmless. StreamSetAside where one of the streams is: all others' are durable then.
        """
        # Waited for to the end, also where one fails: the batch may be given again at once.
        done = await asyncio.gather(*map(self._handle, _halves(commands)), return_exceptions=True)
        outcomes: dict[Command[A], Outcome[S]] = {}
        broken: dict[str, StreamSetAside] = {}
        for one in done:
            if isinstance(one, BaseException):
                raise one
            outcomes |= one.outcomes
            broken |= one.broken
        for error in broken.values():
            raise error
        return [outcomes[command] for command in commands]

    async def finish(self, streams: Collection[str]) -> None:
        """See to the end what was left half-way of these streams. Errors: StreamSetAside, and the
        driver's and the broker's."""
        loaded = await self._repository.load_consistent(streams)
        await self._outbox.take_up(commit for one in loaded.values() for commit in one.pending)

    async def _handle(self, commands: Sequence[Command[A]]) -> _Progress[S, A]:
        progress: _Progress[S, A] = _Progress()
        todo = list(commands)
        for _ in range(_ATTEMPTS + len(commands)):
            if not todo:
                return progress
            todo = await self._round(todo, progress)
        raise self._again("a stream is appended to faster than decisions on it can be made")

    async def _round(
        self, commands: Sequence[Command[A]], progress: _Progress[S, A]
    ) -> list[Command[A]]:
        """One round; the commands that need another one."""
        by_stream: dict[str, list[Command[A]]] = defaultdict(list)
        for command in commands:
            by_stream[command.stream].append(command)
        loaded, applied = await self._load(by_stream, progress)
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        drafts: list[Draft[S, A]] = []
        again: list[Command[A]] = []
        for stream, own in by_stream.items():
            if why := next((one.aside for one in loaded[stream].pending if one.aside), ""):
                progress.broken[stream] = StreamSetAside(stream, why)
                continue
            limit = 0 if stream in progress.narrow else _COMMIT_WEIGHT_BYTES
            had = applied.get(stream, _NO_CAUSES)
            try:
                draft = draft_of(self._type, own, loaded[stream], had, limit, now)
            except CoveredMeanwhile as error:
                raise self._again("what a command covers has come meanwhile") from error
            if draft.unseen and loaded[stream].from_memory:
                progress.unremembered.add(stream)
                again += own
            elif draft.doubtful and stream not in progress.consistent:
                progress.consistent.add(stream)
                again += own
            else:
                drafts.append(draft)
        decided = [draft for draft in drafts if draft.aggregate.changes]
        try:
            await self._write_down(decided)
            refused = await self._commit(decided, progress)
        except CommitTooLarge as error:
            return _narrowed(error.stream, TooMuch(), commands, progress)
        except CommitUnfit as error:
            told = {"stream": error.stream, "why": error.why}
            _log.warning("refused: it cannot be kept", extra=told)
            return _narrowed(error.stream, Unfit(), commands, progress)
        # What is repeated may have been left half-way, and is answered like the first time.
        try:
            await self._outbox.take_up(
                commit for draft in drafts if draft.only_repeats for commit in draft.pending
            )
        except StreamSetAside as error:
            progress.broken[error.stream] = error
        for draft in drafts:
            if draft.stream in refused:
                progress.consistent.add(draft.stream)
                again += by_stream[draft.stream]
            else:
                progress.outcomes.update(draft.answers)
                again += draft.later
        return again

    async def _load(
        self, by_stream: Mapping[str, Sequence[Command[A]]], progress: _Progress[S, A]
    ) -> tuple[dict[str, Loaded[S]], dict[str, set[str]]]:
        doubted = [stream for stream in by_stream if stream in progress.consistent]
        loaded = await self._repository.load_cached(
            [stream for stream in by_stream if stream not in progress.consistent],
            unremembered=progress.unremembered,
        )
        if not doubted:
            return loaded, {}
        # The causes first: a state loaded afterwards shows the effect of each of them.
        causes = {
            stream: [c for command in by_stream[stream] for c in (command.cause, *command.covers)]
            for stream in doubted
        }
        applied = await self._store.applied_causes(causes)
        return loaded | await self._repository.load_consistent(doubted), applied

    async def _write_down(self, drafts: Sequence[Draft[S, A]]) -> None:
        """The drafts' decisions, sealed as they are to be stored. Errors: CommitUnfit, and those of
        the sealer."""
        seal = await self._sealer([draft.aggregate for draft in drafts])
        for draft in drafts:
            try:
                draft.decision = self._decision_of(draft, seal)
            except _UNFIT as error:
                raise CommitUnfit(draft.stream, type(error).__name__) from error

    def _decision_of(self, draft: Draft[S, A], seal: Seal[A]) -> Decision[Projected[S]]:
        """Errors: those of what cannot be written down, be it in the read models."""
        aggregate = draft.aggregate
        events = tuple(
            StoredEvent(self._events.name_of(change.event), self._events.encode(change.event))
            for change in aggregate.changes
        )
        messages = self._type.public(aggregate, draft.origins)
        stored, public = seal(aggregate, events, messages)
        commit = Commit(
            stream=draft.stream,
            first=aggregate.loaded_version + 1,
            causes=tuple(draft.causes),
            recorded_at=aggregate.now,
            events=stored,
            public=public,
            prev=draft.prev,
        )
        snapshot: Snapshot[S] = replace(aggregate.snapshot(), head=commit.hash)
        projected = Projected(snapshot, self._type.row(draft.stream, snapshot))
        decision = Decision(commit, projected, events, messages)
        for event in events:
            self._events.decode(event.type, event.data)
        for document in (projected.row, *self._type.beside([decision.opened])):
            bson.encode(document)
        return decision

    async def _commit(self, drafts: Sequence[Draft[S, A]], progress: _Progress[S, A]) -> set[str]:
        """Append and see to the end; the streams whose commits were refused."""
        decisions = [draft.decision for draft in drafts if draft.decision]
        if not decisions:
            return set()
        pending = [commit for draft in drafts for commit in draft.pending]
        outcomes = await self._outbox.commit(decisions, pending_before=pending)
        refused = set()
        for decision, outcome in zip(decisions, outcomes, strict=True):
            if isinstance(outcome, StreamSetAside):
                progress.broken[decision.stream] = outcome
            elif isinstance(outcome, Appended):
                self._appended.inc()
                if decision.state:
                    self._repository.keep(decision.stream, decision.state.snapshot)
            else:
                self._conflicts.inc()
                refused.add(decision.stream)
        return refused


def _narrowed[S, A: Aggregate[Any, Any]](
    stream: str,
    refusal: TooMuch | Unfit,
    commands: Sequence[Command[A]],
    progress: _Progress[S, A],
) -> list[Command[A]]:
    """Nothing was written: decide again, one command of the stream at a time, the first of which is
    refused where it is alone already."""
    todo = list(commands)
    if stream in progress.narrow:
        first = next(command for command in todo if command.stream == stream)
        progress.outcomes[first] = refusal
        todo.remove(first)
    progress.narrow.add(stream)
    return todo


def _halves[A](commands: Sequence[Command[A]]) -> list[list[Command[A]]]:
    """A large batch as two, of different streams: one is decided while the other is written."""
    if len(commands) < _LARGE:
        return [list(commands)]
    halves: tuple[list[Command[A]], list[Command[A]]] = ([], [])
    half_of: dict[str, int] = {}
    for command in commands:
        halves[half_of.setdefault(command.stream, len(half_of) % 2)].append(command)
    return [half for half in halves if half]
