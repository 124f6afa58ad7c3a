"""The recorders of the `eventsourcing` library over the same documents (`codec.py`).

They are for aggregates with few writes, which are saved and loaded through a library `Application`;
a service's hot loop uses `store.py`. A save is one document, so it needs no transaction; and there
are no notification ids, because those cost a counter, for which the writers of all streams queue:
what others follow is the broker, through the same outbox as everything that `store.py` appends.

The calls block: whoever has an event loop makes them in threads.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    NotSupportedError,
    ProgrammingError,
    StoredEvent,
    Subscription,
)
from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from libs.eventstore import commits
from libs.eventstore.codec import (
    INDEXES,
    MAX_COMMIT_BYTES,
    Document,
    encoded,
    id_range,
    read_commit,
)
from libs.eventstore.commits import GENESIS, MAX_VERSION, Commit, PublicMessage
from libs.eventstore.datastore import MongoDatastore, library_errors
from libs.eventstore.errors import StreamBroken
from libs.eventstore.recorded import RecordedEvent, recorded_events

# Nothing is decided from the public messages, and they are half of a commit.
_WITHOUT_MESSAGES: Final[Document] = {"public": 0}
_TIMES_READ_AGAIN: Final = 3
# How many versions back it is looked for the commit that holds a version; then four times as many.
_WINDOW: Final = 16


class CommitRecorder(ApplicationRecorder):
    """Saves the events of one aggregate as one commit, exactly as `AsyncEventStore.append` would.

    `Application.save(aggregate, causes=…, public=…, prev=…)` hands the keywords down to here.
    """

    def __init__(
        self,
        datastore: MongoDatastore,
        *,
        collection_name: str,
        max_commit_bytes: int = MAX_COMMIT_BYTES,
    ) -> None:
        self._datastore = datastore
        self._collection = datastore.collection(collection_name)
        self._max_commit_bytes = max_commit_bytes

    def ensure_indexes(self) -> None:
        with library_errors():
            self._collection.create_indexes(list(INDEXES))

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        causes: Sequence[str] = (),
        public: Sequence[PublicMessage] = (),
        prev: bytes | None = None,
        **kwargs: Any,
    ) -> Sequence[int] | None:
        """Append one commit, which is pending until the outbox has seen it to the end.

        `causes`: ids of what made it; without them its versions, so that no version is taken twice.
        `public`: the messages that the events give rise to. `prev`: the hash of the commit that it
        follows on; without it, that is looked up. Of `RecordedEvent`s, the last says when the
        commit is recorded; else it is now.

        Errors: IntegrityError (a version or a cause is taken; the versions do not follow),
        ProgrammingError (events of two streams), NotSupportedError (any other keyword),
        CommitTooLarge, CommitUnfit, OperationalError where the server is away.
        """
        if unknown := sorted(name for name, value in kwargs.items() if value is not None):
            raise NotSupportedError(f"a commit has no place for {', '.join(unknown)}")
        if not stored_events:
            return None
        first, last = stored_events[0], stored_events[-1]
        if any(event.originator_id != first.originator_id for event in stored_events):
            raise ProgrammingError("a save is one commit of one stream; save the others apart")
        versions = [event.originator_version for event in stored_events]
        if versions != list(range(versions[0], versions[0] + len(versions))):
            raise IntegrityError("the versions of a commit follow on each other")
        stream = self._datastore.stream(first.originator_id)
        commit = Commit(
            stream=stream,
            first=versions[0],
            causes=tuple(causes) or tuple(map(str, versions)),
            recorded_at=last.recorded_at if isinstance(last, RecordedEvent) else datetime.now(UTC),
            events=tuple(commits.StoredEvent(event.topic, event.state) for event in stored_events),
            public=tuple(public),
            prev=self._head(stream, versions[0]) if prev is None else prev,
        )
        document = encoded(commit, self._max_commit_bytes)
        with library_errors():
            self._collection.insert_one(document)
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
        """`RecordedEvent`s. What is read grows with the events after `gt` and before `lte` alone.

        Errors: StreamBroken, CommitUnreadable, OperationalError where the server is away.
        """
        stream = self._datastore.stream(originator_id)
        selected = [
            event
            for commit in self._read(stream, gt, lte)
            for event in recorded_events(commit, self._datastore.originator_id(commit.stream))
            if (gt is None or event.originator_version > gt)
            and (lte is None or event.originator_version <= lte)
        ]
        return (selected[::-1] if desc else selected)[:limit]

    def caused_by(self, stream: str, cause: str) -> Commit | None:
        """The commit of the stream that has the cause. Errors: as `select_events`."""
        with library_errors():
            found = self._collection.find_one({"stream": stream, "causes": cause})
        return None if found is None else read_commit(found)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Errors: NotSupportedError, as with the two below."""
        _follow_the_broker()

    def max_notification_id(self) -> int | None:
        _follow_the_broker()

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        _follow_the_broker()

    def _read(self, stream: str, gt: int | None, lte: int | None) -> list[Commit]:
        """The commits with events after `gt` up to `lte`, in order and without a hole."""
        after = -1 if gt is None else gt
        upto = MAX_VERSION if lte is None else lte
        hole = (0, 0)
        # A query that runs while others append may see a commit and not the one before it, which
        # was written after the scan had passed its place. Seen once more, it is there.
        for _ in range(1 + _TIMES_READ_AGAIN):
            found = self._find(id_range(stream, after, upto))
            if gt is not None and (not found or found[0].first != gt + 1):
                found[:0] = self._across(stream, gt)
            if (gap := _hole(found, gt)) is None:
                return found
            hole = gap
        raise StreamBroken(stream, *hole)

    def _across(self, stream: str, version: int) -> list[Commit]:
        """The commit that holds the version and the one after it; mostly there is none."""
        before = self._at_or_before(stream, version)
        if before is None or before["last"] <= version:
            return []
        return self._find({"$eq": before["_id"]})

    def _head(self, stream: str, first: int) -> bytes:
        """The hash of the commit that ends just before the version. Errors: IntegrityError."""
        before = self._at_or_before(stream, first)
        if before is None and first <= 1:
            return GENESIS
        if before is None or before["last"] != first - 1:
            raise IntegrityError(f"no commit of {stream} ends at {first - 1}")
        return bytes(before["hash"])

    def _at_or_before(self, stream: str, version: int) -> Document | None:
        """`_id`, `last` and `hash` of the newest commit that begins at the version or before it."""
        # In windows, because some servers resolve every match before they sort or limit.
        upto, width = version, _WINDOW
        while upto >= 0:
            after = max(upto - width, -1)
            with library_errors():
                found = (
                    self._collection.find(
                        {"_id": id_range(stream, after, upto)}, {"last": 1, "hash": 1}
                    )
                    .sort("_id", ASCENDING)
                    .to_list()
                )
            if found:
                return found[-1]
            upto, width = after, width * 4
        return None

    def _find(self, ids: Document) -> list[Commit]:
        with library_errors():
            found = self._collection.find({"_id": ids}, _WITHOUT_MESSAGES).sort("_id", ASCENDING)
            return [read_commit(document) for document in found.to_list()]


class SnapshotRecorder(AggregateRecorder):
    """The newest snapshot of each stream, which replaces the one before: a document a stream.

        {_id: "<stream>", version, topic, state}

    Disposable, and never a commit: whoever changes what a state means names another topic.
    """

    def __init__(self, datastore: MongoDatastore, *, collection_name: str) -> None:
        self._datastore = datastore
        self._collection = datastore.collection(collection_name)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Keep each where no newer one of its stream is there. Errors: the library's."""
        for event in stored_events:
            stream, version = self._datastore.stream(event.originator_id), event.originator_version
            kept = {"version": version, "topic": event.topic, "state": event.state}
            with library_errors():
                self._keep(stream, kept)
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
        """The stream's one, where it is of a version asked for. Errors: the library's."""
        wanted: Document = {"_id": self._datastore.stream(originator_id)}
        bounds = {"$gt": gt, "$lte": lte}
        if given := {name: bound for name, bound in bounds.items() if bound is not None}:
            wanted["version"] = given
        with library_errors():
            one = self._collection.find_one(wanted)
        if one is None:
            return []
        return [StoredEvent(originator_id, one["version"], one["topic"], one["state"])]

    def _keep(self, stream: str, kept: Document) -> None:
        older = {"_id": stream, "version": {"$lt": kept["version"]}}
        try:
            self._collection.update_one(older, {"$set": kept}, upsert=True)
        except DuplicateKeyError:
            # The upsert of one that is not newer than what is there finds its id taken.
            return


def _follow_the_broker() -> NoReturn:
    raise NotSupportedError("there are no notification ids: follow the messages of the outbox")


def _hole(found: Sequence[Commit], gt: int | None) -> tuple[int, int] | None:
    """The first version that is not there, and the one found instead; None where all are."""
    if not found:
        return None
    expected = min(found[0].first, 1) if gt is None else min(found[0].first, gt + 1)
    for commit in found:
        if commit.first != expected:
            return expected, commit.first
        expected = commit.last + 1
    return None
