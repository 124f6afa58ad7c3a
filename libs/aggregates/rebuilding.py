"""Aggregates rebuilt by the `Repository` of the library from commits that were read already."""

from collections.abc import Iterator, Sequence
from typing import Any

from eventsourcing.application import Repository
from eventsourcing.persistence import EventStore
from msgspec.structs import replace

from libs.aggregates.aggregate import Aggregate, Snapshot
from libs.aggregates.events import EventTypes
from libs.aggregates.mapper import EventMapper
from libs.aggregates.reading import ReadingRecorder
from libs.eventstore.commits import Commit
from libs.eventstore.recorded import RecordedEvent, recorded_events


class CommitsRead(ReadingRecorder):
    """The commits of one whole stream, in order and open."""

    def __init__(self, commits: Sequence[Commit]) -> None:
        self._commits = commits

    def events_of(self, stream: str, after: int) -> Iterator[RecordedEvent]:
        return (event for commit in self._commits for event in recorded_events(commit, stream))


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
