"""Aggregates rebuilt by the `Repository` of the library from commits that were read already."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.application import Repository
from eventsourcing.persistence import (
    AggregateRecorder,
    EventStore,
    NotSupportedError,
    StoredEvent,
)
from msgspec.structs import replace

from libs.aggregates.aggregate import Aggregate, Snapshot
from libs.aggregates.events import EventTypes
from libs.aggregates.mapper import EventMapper
from libs.eventstore.commits import Commit
from libs.eventstore.recorded import RecordedEvent, recorded_events


class CommitsRead(AggregateRecorder):
    """The commits of one whole stream, in order and open. Nothing is inserted."""

    def __init__(self, commits: Sequence[Commit]) -> None:
        self._commits = commits

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        raise NotSupportedError("what was read is only read")

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[RecordedEvent]:
        found = [
            event
            for commit in self._commits
            for event in recorded_events(commit, originator_id)
            if event.originator_version > (gt or 0)
            and (lte is None or event.originator_version <= lte)
        ]
        return (found[::-1] if desc else found)[:limit]


def rebuilt[S](
    types: EventTypes[Any], aggregate_class: type[Aggregate[S, Any]], commits: Sequence[Commit]
) -> Snapshot[S]:
    """The state after all commits of one stream, of which there is one at least.

    Errors: UnknownEvent, UnreadableEvent; LookupError and its like where the events do not fit each
    other.
    """
    mapper: EventMapper[S] = EventMapper(types)
    repository = Repository(EventStore(mapper, CommitsRead(commits)))
    aggregate: Aggregate[S, Any] = repository.get(
        commits[0].stream, projector_func=aggregate_class.project
    )
    return replace(aggregate.snapshot(), head=aggregate.head)
