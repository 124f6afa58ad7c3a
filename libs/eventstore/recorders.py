"""The recorders of the `eventsourcing` library over the same documents (`codec.py`).

They are for applications written with that library; a service's hot loop uses `store.py`. What
they have beyond it is a global position, the notification ids: those cost a counter, so that all
writers of one application queue behind each other. What they have not is an outbox: a follower
reads the notifications.

The library promises that every single version of a stream is unique, where a commit's id only
protects its first. So a commit written here gives its versions as its causes: the unique index
over the causes then refuses any overlap.

The library does not say which hash a commit follows on, so it is looked up, one query a call. What
is found stays right: the library decides on events that are there, and they cannot change.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any, cast
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.client_session import ClientSession

from libs.eventstore import commits
from libs.eventstore.codec import INDEXES, Document, from_document, to_document
from libs.eventstore.datastore import MongoDatastore, library_errors

# The library asks for versions in the middle of a commit (a snapshot may be of any version).
_LAST_INDEX = IndexModel([("stream", ASCENDING), ("last", ASCENDING)], name="last")
# `position` is the notification id of a commit's last event; those before it count down from it.
_POSITION_INDEX = IndexModel([("position", ASCENDING)], name="position", unique=True)
_POSITIONS = "positions"
_TRACKING = "tracking"
# Notifications are read in windows of ids, because some servers resolve every match before they
# limit: a follower that is far behind must not read the whole rest for each page.
_WINDOW = 1_000


class MongoAggregateRecorder(AggregateRecorder):
    """Stored events of aggregates (or their snapshots) in one collection.

    `chained`: each commit follows on the one before it. Snapshots follow on nothing.
    """

    indexes: Sequence[IndexModel] = (*INDEXES, _LAST_INDEX)

    def __init__(
        self,
        datastore: MongoDatastore,
        *,
        collection_name: str = "stored_events",
        chained: bool = True,
    ) -> None:
        self.datastore = datastore
        self.collection = datastore.collection(collection_name)
        self._chained = chained

    def ensure_indexes(self) -> None:
        with library_errors():
            self.collection.create_indexes(list(self.indexes))

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        runs = list(_runs(stored_events))
        if len(runs) == 1:  # atomic by itself
            with library_errors():
                self.collection.insert_one(self._documents(runs)[0])
        elif runs:
            self.datastore.in_transaction(
                lambda session: self.collection.insert_many(
                    self._documents(runs, session), session=session
                )
            )
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        query: Document = {"stream": self.datastore.stream(originator_id)}
        if gt is not None:
            query["last"] = {"$gt": gt}
        if lte is not None:
            query["first"] = {"$lte": lte}
        # Each commit found has at least one of the events, so the limit holds for commits too.
        with library_errors():
            cursor = self.collection.find(query, limit=limit or 0)
            found = cursor.sort("last", DESCENDING if desc else ASCENDING).to_list()
        selected = [
            event
            for document in found
            for event in self._events(document, reverse=desc)
            if (gt is None or event.originator_version > gt)
            and (lte is None or event.originator_version <= lte)
        ]
        return selected[:limit]

    def _events(self, document: Document, *, reverse: bool) -> list[StoredEvent]:
        commit = from_document(document)
        originator_id = self.datastore.originator_id(commit.stream)
        events = [
            StoredEvent(originator_id, version, event.type, event.data)
            for version, event in enumerate(commit.events, commit.first)
        ]
        return events[::-1] if reverse else events

    def _documents(
        self, runs: Sequence[Sequence[StoredEvent]], session: ClientSession | None = None
    ) -> list[Document]:
        now = datetime.now(UTC)
        heads = self._heads(runs, session) if self._chained else {}
        documents = []
        for run in runs:
            stream, first = self.datastore.stream(run[0].originator_id), run[0].originator_version
            commit = commits.Commit(
                stream=stream,
                first=first,
                causes=tuple(str(event.originator_version) for event in run),
                recorded_at=now,
                events=tuple(commits.StoredEvent(event.topic, event.state) for event in run),
                pending=False,
                prev=heads.get((stream, first - 1), commits.GENESIS),
            )
            heads[stream, commit.last] = commit.hash
            documents.append(to_document(commit))
        return documents

    def _heads(
        self, runs: Sequence[Sequence[StoredEvent]], session: ClientSession | None
    ) -> dict[tuple[str, int], bytes]:
        """The hashes of the commits on which the runs follow, by stream and last version."""
        ends = [
            {
                "stream": self.datastore.stream(run[0].originator_id),
                "last": run[0].originator_version - 1,
            }
            for run in runs
        ]
        found = self.collection.find(
            {"$or": ends}, {"stream": 1, "last": 1, "hash": 1}, session=session
        )
        return {(one["stream"], one["last"]): one["hash"] for one in found}


class MongoApplicationRecorder(MongoAggregateRecorder, ApplicationRecorder):
    """Stored events with notification ids: gapless, and in the order of the transactions.

    The counter is raised in the transaction that inserts the events, so nobody sees an id before
    all smaller ones are there: a reader that goes by position skips nothing that was in flight.
    """

    indexes = (*MongoAggregateRecorder.indexes, _POSITION_INDEX)

    def __init__(
        self, datastore: MongoDatastore, *, collection_name: str = "stored_events"
    ) -> None:
        super().__init__(datastore, collection_name=collection_name)
        self._positions = datastore.collection(_POSITIONS)
        # Threads of one process queue here, instead of colliding at the counter and trying again.
        self._writing = Lock()

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        runs = list(_runs(stored_events))

        def insert(session: ClientSession) -> list[int]:
            self._insert_more(session, **kwargs)
            if not runs:
                return []
            documents = self._documents(runs, session)
            ids = self._next_ids(session, len(stored_events))
            position = ids[0] - 1
            for document in documents:
                position += len(document["events"])
                document["position"] = position
            self.collection.insert_many(documents, session=session)
            return ids

        if not runs and not kwargs:
            return []
        with self._writing:
            return self.datastore.in_transaction(insert)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        lowest = max(start if start is not None else 1, 1)
        if start is not None and start >= 1 and not inclusive_of_start:
            lowest += 1
        highest = self.max_notification_id() or 0
        if stop is not None:
            highest = min(highest, stop)
        selected: list[Notification] = []
        window = _WINDOW
        while lowest <= highest and len(selected) < limit:
            in_window = self._notifications(lowest, lowest + window - 1, limit)
            # Nothing ends in the window: it lies within one large commit.
            window = _WINDOW if in_window else window + _WINDOW
            for notification in in_window:
                lowest = notification.id + 1
                if notification.id <= highest and (not topics or notification.topic in topics):
                    selected.append(notification)
        return selected[:limit]

    def max_notification_id(self) -> int | None:
        with library_errors():
            counter = self._positions.find_one(self.collection.name)
        return None if counter is None else int(counter["last"])

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Not implemented, as with the library's SQLite recorder: followers read by position."""
        raise NotImplementedError(f"{type(self).__name__} does not support subscriptions")

    def _insert_more(self, session: ClientSession, **kwargs: Any) -> None:
        """What else belongs to the transaction; the process recorder's tracking does."""

    def _next_ids(self, session: ClientSession, count: int) -> list[int]:
        counter = self._positions.find_one_and_update(
            {"_id": self.collection.name},
            {"$inc": {"last": count}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        last: int = cast(Document, counter)["last"]  # an upsert always has something to return
        return list(range(last - count + 1, last + 1))

    def _notifications(self, lowest: int, position: int, limit: int) -> list[Notification]:
        """From commits that end between `lowest` and `position`; those with an id >= lowest."""
        with library_errors():
            found = (
                self.collection.find({"position": {"$gte": lowest, "$lte": position}})
                .sort("position", ASCENDING)
                .limit(limit)
                .to_list()
            )
        notifications = []
        for document in found:
            events = self._events(document, reverse=False)
            first_id = document["position"] - len(events) + 1
            notifications += [
                Notification(e.originator_id, e.originator_version, e.topic, e.state, id=number)
                for number, e in enumerate(events, first_id)
                if number >= lowest
            ]
        return notifications


class MongoTrackingRecorder(TrackingRecorder):
    """How far a follower has come in each upstream application."""

    def __init__(self, datastore: MongoDatastore, **kwargs: Any) -> None:
        super().__init__()
        self.datastore = datastore
        self._tracking = datastore.collection(_TRACKING)

    def insert_tracking(self, tracking: Tracking) -> None:
        with library_errors():
            self._insert_tracking(tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        with library_errors():
            found = self._tracking.find_one(application_name)
        return None if found is None else int(found["position"])

    def _insert_tracking(self, tracking: Tracking, session: ClientSession | None = None) -> None:
        # Where the position is not smaller, nothing matches, and the upsert hits the unique id.
        self._tracking.update_one(
            {"_id": tracking.application_name, "position": {"$lt": tracking.notification_id}},
            {"$set": {"position": tracking.notification_id}},
            upsert=True,
            session=session,
        )


class MongoProcessRecorder(MongoTrackingRecorder, MongoApplicationRecorder, ProcessRecorder):
    """Stored events and the tracking of what caused them, in one transaction."""

    def __init__(
        self, datastore: MongoDatastore, *, collection_name: str = "stored_events"
    ) -> None:
        MongoApplicationRecorder.__init__(self, datastore, collection_name=collection_name)
        self._tracking = datastore.collection(_TRACKING)

    def _insert_more(self, session: ClientSession, **kwargs: Any) -> None:
        tracking: Tracking | None = kwargs.get("tracking")
        if tracking is not None:
            self._insert_tracking(tracking, session)


def _runs(stored_events: Sequence[StoredEvent]) -> Iterator[Sequence[StoredEvent]]:
    """Cut into runs of one originator with versions one after the other: a commit each."""
    begin = 0
    for at in range(1, len(stored_events) + 1):
        if at < len(stored_events):
            before, event = stored_events[at - 1], stored_events[at]
            if (
                event.originator_id == before.originator_id
                and event.originator_version == before.originator_version + 1
            ):
                continue
        yield stored_events[begin:at]
        begin = at
