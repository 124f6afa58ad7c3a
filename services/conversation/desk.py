"""Where decisions are made and kept: load many aggregates, decide, commit, in few round trips.

Every task has a cause. The unique index on (stream, causes) is the truth about what was applied: a
commit with a cause that its stream has had is refused as a whole. Then, as after a conflict of
versions, the stream is loaded carefully, the store is asked which of the causes it has had, and the
rest is decided again without them. The same is done before a refusal, or "nothing to do", is
believed (see ``loading.py``): a command that is repeated after a crash is not refused because of
its own first effect.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import bson
import structlog
from bson.errors import BSONError
from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.events import UnreadableEvent
from libs.eventstore.commits import GENESIS, Appended, Commit
from libs.eventstore.decisions import Decision
from libs.eventstore.errors import CommitTooLarge, CommitUnfit, StreamSetAside
from libs.eventstore.outbox import Outbox
from libs.runtime.consumer import Transient
from services.conversation.domain.aggregate import Aggregate
from services.conversation.domain.events import decode
from services.conversation.domain.refusal import RuleBroken
from services.conversation.loading import Loaded, Loader
from services.conversation.metrics import COMMITS, CONFLICTS
from services.conversation.privacy.keyring import Wanted
from services.conversation.privacy.sealed_payload import Owner
from services.conversation.privacy.sealed_store import Key, SealedStore
from services.conversation.projection import Projected
from services.conversation.publishing.conversations import stored_events
from services.conversation.tasks import Done, Kind, NotThere, Outcome, Task, TooMuch, Unfit

log = structlog.get_logger()

# A stream that is fought over by many is decided again this often before the caller has to.
_ATTEMPTS: Final = 30
# From so many tasks on it pays to overlap deciding with writing.
_LARGE: Final = 64
# A commit holds its events twice, stored and public; the store refuses it at 900 kB.
_COMMIT_WEIGHT_BYTES: Final = 300_000
# What is raised on writing down what cannot be.
_UNFIT: Final = (OverflowError, ValueError, BSONError, RecursionError, UnreadableEvent)


@dataclass(slots=True, eq=False)
class _Draft[S, A: Aggregate[Any]]:
    """A stream's decisions of one round.

    ``prev``: the hash of the commit that these follow on. ``origins``: the task of each change.
    ``doubtful``: something was refused or had no effect. ``later`` did not fit into the commit.
    """

    aggregate: A
    prev: bytes
    pending: list[Commit]
    answers: list[tuple[Task[A], Outcome[S]]]
    later: list[Task[A]]
    causes: list[str] = field(default_factory=list)
    origins: list[Task[A]] = field(default_factory=list)
    doubtful: bool = False
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


@dataclass(slots=True)
class _Progress[S, A: Aggregate[Any]]:
    """Across rounds: streams to be loaded carefully, those that take one task a commit, and those
    that are set aside, on which nothing is decided."""

    outcomes: dict[Task[A], Outcome[S]] = field(default_factory=dict)
    careful: set[str] = field(default_factory=set)
    narrow: set[str] = field(default_factory=set)
    broken: dict[str, StreamSetAside] = field(default_factory=dict)


class Desk[S, A: Aggregate[Any]]:
    """Decides tasks on streams of one kind."""

    def __init__(
        self,
        kind: Kind[S, A],
        loader: Loader[S],
        store: SealedStore,
        outbox: Outbox,
    ) -> None:
        self._kind = kind
        self._loader = loader
        self._store = store
        self._outbox = outbox

    async def handle(self, tasks: Sequence[Task[A]]) -> list[Outcome[S]]:
        """Decide the tasks, those of one stream in the order given; an outcome for each.

        All effects are durable, in the read models and on Kafka when it returns. Errors: the
        driver's and the broker's; some effects may then be stored, and repeating is harmless.
        StreamSetAside where one of the streams is: all others' are durable then.
        """
        # Waited for to the end, also where one fails: the batch may be given again at once.
        done = await asyncio.gather(*map(self._handle, _halves(tasks)), return_exceptions=True)
        outcomes: dict[Task[A], Outcome[S]] = {}
        broken: dict[str, StreamSetAside] = {}
        for one in done:
            if isinstance(one, BaseException):
                raise one
            outcomes |= one.outcomes
            broken |= one.broken
        for error in broken.values():
            raise error
        return [outcomes[task] for task in tasks]

    async def finish(self, streams: Collection[str]) -> None:
        """See to the end what was left half-way of these streams. Errors: StreamSetAside, and the
        driver's and the broker's."""
        loaded = await self._loader.carefully(streams)
        await self._outbox.take_up(commit for one in loaded.values() for commit in one.pending)

    async def _handle(self, tasks: Sequence[Task[A]]) -> "_Progress[S, A]":
        progress: _Progress[S, A] = _Progress()
        todo = list(tasks)
        for _ in range(_ATTEMPTS + len(tasks)):
            if not todo:
                return progress
            todo = await self._round(todo, progress)
        raise Transient("a stream is appended to faster than decisions on it can be made")

    async def _round(self, tasks: Sequence[Task[A]], progress: _Progress[S, A]) -> list[Task[A]]:
        """One round; the tasks that need another one."""
        by_stream: dict[str, list[Task[A]]] = defaultdict(list)
        for task in tasks:
            by_stream[task.stream].append(task)
        loaded, applied = await self._load(by_stream, progress.careful)
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        drafts: list[_Draft[S, A]] = []
        again: list[Task[A]] = []
        for stream, own in by_stream.items():
            if why := next((one.aside for one in loaded[stream].pending if one.aside), ""):
                progress.broken[stream] = StreamSetAside(stream, why)
                continue
            limit = 0 if stream in progress.narrow else _COMMIT_WEIGHT_BYTES
            draft = self._decide(stream, own, loaded[stream], applied.get(stream), limit, now)
            if draft.doubtful and stream not in progress.careful:
                progress.careful.add(stream)
                again += own
            else:
                drafts.append(draft)
        decided = [draft for draft in drafts if draft.aggregate.changes]
        try:
            await self._write_down(decided)
            refused = await self._commit(decided, progress)
        except CommitTooLarge as error:
            return self._narrowed(error.stream, TooMuch(), tasks, progress)
        except CommitUnfit as error:
            log.warning("refused: it cannot be kept", stream=error.stream, why=error.why)
            return self._narrowed(error.stream, Unfit(), tasks, progress)
        # What is repeated may have been left half-way, and is answered like the first time.
        try:
            await self._outbox.take_up(
                commit for draft in drafts if draft.only_repeats for commit in draft.pending
            )
        except StreamSetAside as error:
            progress.broken[error.stream] = error
        for draft in drafts:
            if draft.stream in refused:
                progress.careful.add(draft.stream)
                again += by_stream[draft.stream]
            else:
                progress.outcomes.update(draft.answers)
                again += draft.later
        return again

    def _narrowed(
        self,
        stream: str,
        refusal: TooMuch | Unfit,
        tasks: Sequence[Task[A]],
        progress: _Progress[S, A],
    ) -> list[Task[A]]:
        """Nothing was written: decide again, one task of the stream at a time, the first of which
        is refused where it is alone already."""
        todo = list(tasks)
        if stream in progress.narrow:
            first = next(task for task in todo if task.stream == stream)
            progress.outcomes[first] = refusal
            todo.remove(first)
        progress.narrow.add(stream)
        return todo

    async def _load(
        self, by_stream: Mapping[str, Sequence[Task[A]]], careful: set[str]
    ) -> tuple[dict[str, Loaded[S]], dict[str, set[str]]]:
        doubted = [stream for stream in by_stream if stream in careful]
        loaded = await self._loader.quickly([s for s in by_stream if s not in careful])
        if not doubted:
            return loaded, {}
        # The causes first: a state loaded afterwards shows the effect of each of them.
        causes = {
            stream: [cause for task in by_stream[stream] for cause in (task.cause, *task.covers)]
            for stream in doubted
        }
        applied = await self._store.applied_causes(causes)
        return loaded | await self._loader.carefully(doubted), applied

    def _decide(
        self,
        stream: str,
        tasks: Sequence[Task[A]],
        loaded: Loaded[S],
        applied: set[str] | None,
        limit: int,
        now: datetime,
    ) -> _Draft[S, A]:
        aggregate = self._kind.make(stream, loaded.snapshot, now)
        prev = loaded.snapshot.head if loaded.snapshot else GENESIS
        draft: _Draft[S, A] = _Draft(aggregate, prev, loaded.pending, [], [])
        weight = 0
        for at, task in enumerate(tasks):
            if aggregate.changes and weight + task.weight_bytes > limit:
                draft.later = list(tasks[at:])
                break
            if loaded.snapshot and self._kind.workspace_of(loaded.snapshot.state) != (
                task.workspace_id
            ):
                draft.answers.append((task, NotThere()))
                continue
            if task.cause in draft.causes or (applied and task.cause in applied):
                draft.answers.append((task, Done(_state(aggregate), repeated=True)))
                continue
            if applied and not applied.isdisjoint(task.covers):
                # It was not there yet when this was looked up.
                raise Transient("what a task covers has come meanwhile")
            decided = len(aggregate.changes)
            try:
                task.decide(aggregate)
            except (RuleBroken, NotThere) as refusal:
                aggregate.undo_to(decided)
                draft.answers.append((task, refusal))
                draft.doubtful = True
                continue
            except OverflowError:
                aggregate.undo_to(decided)
                draft.answers.append((task, Unfit()))
                continue
            changes = aggregate.changes[decided:]
            draft.answers.append((task, Done(_state(aggregate), changes)))
            draft.doubtful |= not changes
            if changes:
                draft.causes += [task.cause, *task.covers]
                draft.origins += [task] * len(changes)
                weight += task.weight_bytes
        return draft

    async def _write_down(self, drafts: Sequence[_Draft[S, A]]) -> None:
        """The drafts' commits, with what is personal in them sealed. Errors: the driver's."""
        wanted = {}
        about: list[Wanted] = []
        for draft in drafts:
            begins = draft.aggregate.loaded_version == 0
            if one := self._wanted(draft.aggregate.snapshot(), begins=begins):
                wanted[draft.stream] = one
                about += _others(draft.aggregate, one)
        keys = await self._store.keys([*wanted.values(), *about])
        for draft in drafts:
            try:
                self._write_one_down(draft, wanted.get(draft.stream), keys)
            except _UNFIT as error:
                raise CommitUnfit(draft.stream, type(error).__name__) from error

    def _write_one_down(
        self, draft: _Draft[S, A], one: Wanted | None, keys: Mapping[str, Key]
    ) -> None:
        """Errors: those of what cannot be written down, be it in the read models."""
        aggregate, first = draft.aggregate, draft.aggregate.loaded_version + 1
        if one and one.begins and (erasures := keys[one.owner.identity][0].generation - 1):
            aggregate.begins_after(erasures)
        events = stored = stored_events(aggregate)
        messages = public = self._kind.public(aggregate, draft.origins)
        if one:
            key = keys[one.owner.identity]
            others = {c.version: keys[who] for c in aggregate.changes if (who := c.event.about)}
            stored = self._store.sealed_events(draft.stream, first, events, key, others)
            public = self._store.sealed_messages(messages, key, others)
        commit = Commit(
            stream=draft.stream,
            first=first,
            causes=tuple(draft.causes),
            recorded_at=aggregate.now,
            events=stored,
            public=public,
            prev=draft.prev,
        )
        snapshot = replace(aggregate.snapshot(), head=commit.hash)
        projected = Projected(snapshot, self._kind.row(draft.stream, snapshot))
        draft.decision = Decision(commit, projected, events, messages)
        for event in events:
            decode(event.type, event.data)
        beside = self._kind.beside([draft.decision.opened])
        for document in (projected.row, *beside):
            bson.encode(document)

    def _wanted(self, snapshot: Snapshot[S], *, begins: bool) -> Wanted | None:
        owner = self._kind.owner_of(snapshot.state)
        if owner is None:
            return None
        return Wanted(owner, self._kind.workspace_of(snapshot.state), begins)

    async def _commit(self, drafts: Sequence[_Draft[S, A]], progress: _Progress[S, A]) -> set[str]:
        """Append and see to the end; the streams whose commits were refused."""
        decisions = [draft.decision for draft in drafts if draft.decision]
        if not decisions:
            return set()
        pending = [commit for draft in drafts for commit in draft.pending]
        outcomes = await self._outbox.commit(decisions, pending_before=pending)
        refused = set()
        for draft, outcome in zip(drafts, outcomes, strict=True):
            if isinstance(outcome, StreamSetAside):
                progress.broken[draft.stream] = outcome
            elif isinstance(outcome, Appended):
                COMMITS.inc()
                if draft.decision and draft.decision.state:
                    self._loader.keep(draft.stream, draft.decision.state.snapshot)
            else:
                CONFLICTS.inc()
                refused.add(draft.stream)
        return refused


def _others(aggregate: Aggregate[Any], own: Wanted) -> list[Wanted]:
    """The keys of whom else the changes are about. The stream does not tell of their erasures, as
    if it had just begun."""
    about = {change.event.about for change in aggregate.changes} - {None, own.owner.identity}
    return [Wanted(Owner(one, 1), own.workspace_id, begins=True) for one in about if one]


def _halves[A](tasks: Sequence[Task[A]]) -> list[list[Task[A]]]:
    """A large batch as two, of different streams: one is decided while the other is written."""
    if len(tasks) < _LARGE:
        return [list(tasks)]
    halves: tuple[list[Task[A]], list[Task[A]]] = ([], [])
    half_of: dict[str, int] = {}
    for task in tasks:
        halves[half_of.setdefault(task.stream, len(half_of) % 2)].append(task)
    return [half for half in halves if half]


def _state(aggregate: Aggregate[Any]) -> Snapshot[Any] | None:
    return aggregate.snapshot() if aggregate.state is not None else None
