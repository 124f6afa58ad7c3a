"""Loading many streams at once: each is its row in a read model, and the commits after it.

A row may be behind the stream, because another replica has appended and not yet projected, or
stopped in between. Why a decision is right all the same:

* A commit is marked published only after it was projected. So what a row does not know yet was
  still pending when the row was read. The pending commits are read *after* the rows; together
  they are the whole stream, unless a commit was projected, published and marked between the two
  reads. Then the state decided on is behind, and so is the version that the new commit asks for: it
  is refused (the version is the lock) and the stream is loaded again, consistently.
* For the same reason the pending commits, read after the row, contain every commit of the state
  decided on that might not be published: the outbox repeats those first (see its docstring).
* The consistent load reads the row and then every commit after it, and does not depend on what is
  pending. A stream whose row is lost is so rebuilt from its commits.

The cache keeps states whose commits went through all steps: everything up to that version is
published. Whoever decides on one is again guarded by the version. But a decision that appends
nothing has no such guard: the command handler believes it only when it was made on a consistent
load.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.aggregate_type import AggregateType
from libs.aggregates.events import EventTypes
from libs.eventstore.commits import Commit


class CommitStore(Protocol):
    """An event store as the kit reads it: with its events open. Errors: as `AsyncEventStore`'s."""

    async def load(self, streams: Mapping[str, int]) -> dict[str, list[Commit]]: ...

    async def load_pending(self, streams: Collection[str]) -> dict[str, list[Commit]]: ...

    async def applied_causes(
        self, causes: Mapping[str, Collection[str]]
    ) -> dict[str, set[str]]: ...


@dataclass(frozen=True, slots=True)
class Loaded[S]:
    """A stream's state, None before its first event; `pending` may not be published yet.
    `from_memory`: nothing was read for it."""

    snapshot: Snapshot[S] | None = None
    pending: list[Commit] = field(default_factory=list)
    from_memory: bool = False


class AggregateRepository[S]:
    """Loads streams of one type. `cache_size`: how many states are kept in memory."""

    def __init__(
        self,
        aggregate_type: AggregateType[S, Any],
        types: EventTypes[Any],
        store: CommitStore,
        cache_size: int,
    ) -> None:
        self._type = aggregate_type
        self._events = types
        self._store = store
        self._cache_size = cache_size
        self._cache: OrderedDict[str, Snapshot[S]] = OrderedDict()

    def keep(self, stream: str, snapshot: Snapshot[S]) -> None:
        """Remember a state of which every commit is published."""
        known = self._cache.get(stream)
        if known is None or known.version < snapshot.version:
            self._cache[stream] = snapshot
            self._cache.move_to_end(stream)
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)

    def forget(self, stream: str) -> None:
        """The state is kept in memory no longer."""
        self._cache.pop(stream, None)

    async def load_cached(
        self, streams: Collection[str], *, unremembered: Collection[str] = ()
    ) -> dict[str, Loaded[S]]:
        """States that may be behind: a commit made on one of these is refused then.

        `unremembered`: those that are read, also where they are in memory. Errors: as of
        `load_consistent`.
        """
        loaded = {
            stream: Loaded(self._cache[stream], from_memory=True)
            for stream in streams
            if stream in self._cache and stream not in unremembered
        }
        missing = [s for s in streams if s not in loaded]
        if not missing:
            return loaded
        rows = await self._type.find(missing)
        pending = await self._store.load_pending(missing)
        doubtful = []
        for stream in missing:
            snapshot = rows.get(stream)
            newer = _after(snapshot, pending[stream])
            if newer and newer[0].first != (snapshot.version if snapshot else 0) + 1:
                doubtful.append(stream)
                continue
            loaded[stream] = Loaded(replay(self._events, snapshot, newer), pending[stream])
        if doubtful:
            loaded |= await self.load_consistent(doubtful)
        return loaded

    async def load_consistent(self, streams: Collection[str]) -> dict[str, Loaded[S]]:
        """States as new as the moment they were read. Errors: StreamBroken, UnknownEvent,
        UnreadableEvent, and those of reading the rows."""
        rows = await self._type.find(streams)
        versions = {s: rows[s].version if s in rows else 0 for s in streams}
        newer, pending = await asyncio.gather(
            self._store.load(versions), self._store.load_pending(streams)
        )
        return {
            stream: Loaded(
                replay(self._events, rows.get(stream), newer[stream]),
                _united(pending[stream], (c for c in newer[stream] if c.pending)),
            )
            for stream in streams
        }


def replay[S](
    types: EventTypes[Any], snapshot: Snapshot[S] | None, commits: Iterable[Commit]
) -> Snapshot[S] | None:
    """The state after the commits, which follow on the snapshot and are open. Errors: UnknownEvent,
    UnreadableEvent."""
    for commit in commits:
        state = snapshot.state if snapshot else None
        for stored in commit.events:
            state = types.decode(stored.type, stored.data).apply(state)
        if state is not None:
            snapshot = Snapshot(commit.last, commit.recorded_at, state, commit.hash)
    return snapshot


def _after[S](snapshot: Snapshot[S] | None, commits: Iterable[Commit]) -> list[Commit]:
    version = snapshot.version if snapshot else 0
    return [commit for commit in commits if commit.first > version]


def _united(some: Iterable[Commit], others: Iterable[Commit]) -> list[Commit]:
    return list({commit.first: commit for commit in (*some, *others)}.values())
