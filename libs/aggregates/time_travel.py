"""Aggregates as they were, rebuilt by the `Repository` of the library.

The library is synchronous, and the stores of the services are not. So its repository runs in a
thread beside their loop (`asyncio.to_thread(repository.get, …)`), and its recorder asks on the
loop. That costs a few tens of microseconds a page, which is nothing for what is asked seldom.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, Final, Protocol

from eventsourcing.application import Repository
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import EventStore

from libs.aggregates.aggregate import Snapshot, StateSnapshot
from libs.aggregates.events import EventTypes
from libs.aggregates.mapper import EventMapper
from libs.aggregates.reading import ReadingRecorder
from libs.eventstore.commits import Commit
from libs.eventstore.recorded import RecordedEvent, recorded_events

_PAGE: Final = 200

# The nearest kept state of a stream that was recorded not after the instant; None without one.
type SnapshotBefore[S] = Callable[[str, datetime], Awaitable[Snapshot[S] | None]]


class StreamReader(Protocol):
    """An event store read page by page, as `AsyncEventStore.read`; its events are open."""

    async def read(self, stream: str, after: int, limit: int) -> list[Commit]: ...


class PastRecorder(ReadingRecorder):
    """What a store had at `instant`: commits that were recorded later are not there.

    Made on the loop of the store, and used in a thread beside it.
    """

    def __init__(self, store: StreamReader, instant: datetime) -> None:
        self._store = store
        self._instant = instant
        self._loop = asyncio.get_running_loop()

    def events_of(self, stream: str, after: int) -> list[RecordedEvent]:
        """`after`: a version at which a commit ends. Errors: the store's."""
        reading = self._read(stream, after)
        return asyncio.run_coroutine_threadsafe(reading, self._loop).result()

    async def _read(self, stream: str, after: int) -> list[RecordedEvent]:
        events: list[RecordedEvent] = []
        while True:
            page = await self._store.read(stream, after, _PAGE)
            past = [commit for commit in page if commit.recorded_at <= self._instant]
            events += (event for commit in past for event in recorded_events(commit, stream))
            if len(past) < _PAGE:
                return events
            after = past[-1].last


class PastSnapshots[S](EventStore[str]):
    """The kept states of a past; see `PastRecorder`."""

    def __init__(
        self,
        mapper: EventMapper[S],
        recorder: PastRecorder,
        before: SnapshotBefore[S],
        instant: datetime,
    ) -> None:
        super().__init__(mapper, recorder)
        self._before = before
        self._instant = instant
        self._loop = asyncio.get_running_loop()

    def get(
        self,
        originator_id: str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Iterator[DomainEventProtocol[str]]:
        """The nearest one, where there is one. Errors: those of reading it."""
        found = asyncio.run_coroutine_threadsafe(self._find(originator_id), self._loop).result()
        if found is not None:
            yield StateSnapshot(
                originator_id, found.version, found.state, found.recorded_at, found.head
            )

    async def _find(self, stream: str) -> Snapshot[S] | None:
        return await self._before(stream, self._instant)


def repository_as_of[S](
    types: EventTypes[Any], store: StreamReader, before: SnapshotBefore[S], instant: datetime
) -> Repository[str]:
    """The library's repository over a store as it was at the instant. To be made on the loop of the
    store; its `get` runs in a thread beside the loop, with `Aggregate.project`."""
    mapper: EventMapper[S] = EventMapper(types)
    recorder = PastRecorder(store, instant)
    return Repository(
        EventStore(mapper, recorder),
        snapshot_store=PastSnapshots(mapper, recorder, before, instant),
    )
