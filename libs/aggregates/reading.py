"""A recorder of the library that only reads: what an aggregate is rebuilt from."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import AggregateRecorder, NotSupportedError, StoredEvent

from libs.eventstore.recorded import RecordedEvent


class ReadingRecorder(AggregateRecorder):
    """A subclass says what there is; the bounds, the order and the limit are the library's."""

    @abstractmethod
    def events_of(self, stream: str, after: int) -> Iterable[RecordedEvent]:
        """In order, those that follow the version at least. Errors: as of `select_events`."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        raise NotSupportedError("what was recorded is only read here")

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Errors: those of reading them."""
        after = gt or 0
        selected = [
            one
            for one in self.events_of(str(originator_id), after)
            if one.originator_version > after and (lte is None or one.originator_version <= lte)
        ]
        return (selected[::-1] if desc else selected)[:limit]
