"""The recorders of the `eventsourcing` library on the real server: the case that the library ships,
and what it leaves open."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)

# The module, not the class: pytest would collect an imported case once more by itself.
from eventsourcing.tests import persistence as persistence_cases

from libs.eventstore import Factory
from libs.eventstore.codec import from_document, to_document
from libs.eventstore.commits import Appended, Commit, hash_of
from libs.eventstore.datastore import MongoDatastore
from libs.eventstore.errors import CommitTooLarge, StreamBroken, VersionConflict
from libs.eventstore.recorded import RecordedEvent
from libs.eventstore.recorders import CommitRecorder, SnapshotRecorder
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_stream
from tests.support.eventstore.builders import AT, chained, commit_of

pytestmark = pytest.mark.servers


class TestCommitRecorder(persistence_cases.AggregateRecorderTestCase):
    """Gives the library's case, which knows no fixtures, a database of its own."""

    datastore: MongoDatastore

    @pytest.fixture(autouse=True)
    def _use(self, datastore: MongoDatastore) -> None:
        self.datastore = datastore

    def create_recorder(self) -> CommitRecorder:
        recorder = CommitRecorder(self.datastore, collection_name="stored_events")
        recorder.ensure_indexes()
        return recorder


def events_of(originator_id: UUID | str, first: int, count: int = 1) -> list[StoredEvent]:
    return [
        StoredEvent(originator_id, version, f"topic{version % 2}", b"state")
        for version in range(first, first + count)
    ]


@pytest.fixture
def texts(mongodb_url: str, mongodb_name: str) -> Iterator[MongoDatastore]:
    """Of streams that are named by texts."""
    datastore = MongoDatastore(mongodb_url, mongodb_name, originator_id_type="text")
    yield datastore
    datastore.close()


@pytest.fixture
async def recorder(store: AsyncEventStore, texts: MongoDatastore) -> CommitRecorder:
    """Over the documents of the asynchronous store."""
    return CommitRecorder(texts, collection_name="stored_events")


def recorded(commit: Commit) -> list[RecordedEvent]:
    """As a mapper gives the commit's events to the recorder."""
    return [
        RecordedEvent(commit.stream, version, event.type, event.data, commit.recorded_at)
        for version, event in enumerate(commit.events, commit.first)
    ]


async def test_a_save_is_the_very_commit_that_the_asynchronous_store_would_append(
    recorder: CommitRecorder, store: AsyncEventStore, texts: MongoDatastore
) -> None:
    first, second = chained("a", [2, 3])

    for commit in (first, second):
        recorder.insert_events(
            recorded(commit), causes=commit.causes, public=commit.public, prev=commit.prev
        )

    assert (await store.load({"a": 0}))["a"] == [first, second]
    documents = texts.collection("stored_events").find().sort("_id").to_list()
    assert documents == [to_document(first), to_document(second)]
    assert await store.load_pending(["a"]) == {"a": [first, second]}
    assert (await verify_stream(store, "a")).findings == ()


async def test_the_head_is_looked_up_where_nobody_says_it(
    recorder: CommitRecorder, store: AsyncEventStore
) -> None:
    await store.append([commit_of("a", 1, events=40)])
    recorder.insert_events(events_of("a", 41, 2))
    recorder.insert_events(events_of("a", 43))

    commits = (await store.load({"a": 0}))["a"]
    assert [commit.prev for commit in commits[1:]] == [commit.hash for commit in commits[:-1]]
    assert all(commit.hash == hash_of(commit) for commit in commits)


@pytest.mark.parametrize("versions", [[2], [1, 3], [1, 1], [4]])
async def test_versions_that_do_not_follow_are_refused(
    recorder: CommitRecorder, store: AsyncEventStore, versions: list[int]
) -> None:
    if versions == [4]:
        recorder.insert_events(events_of("a", 1, 2))
    before = (await store.load({"a": 0}))["a"]

    with pytest.raises(IntegrityError):
        recorder.insert_events([StoredEvent("a", version, "topic", b"") for version in versions])

    assert (await store.load({"a": 0}))["a"] == before


@pytest.mark.parametrize("first", [2, 3])
def test_a_version_inside_a_commit_is_taken_too(recorder: CommitRecorder, first: int) -> None:
    recorder.insert_events(events_of("a", 1, 3))

    with pytest.raises(IntegrityError):
        recorder.insert_events(events_of("a", first, 4))

    assert recorder.select_events("a") == events_of("a", 1, 3)


async def test_a_cause_is_taken_once(recorder: CommitRecorder, store: AsyncEventStore) -> None:
    recorder.insert_events(events_of("a", 1), causes=["paid"])
    recorder.insert_events(events_of("b", 1), causes=["paid"])

    with pytest.raises(IntegrityError):
        recorder.insert_events(events_of("a", 2), causes=["more", "paid"])

    [only] = (await store.load({"a": 0}))["a"]
    assert recorder.caused_by("a", "paid") == only
    assert recorder.caused_by("a", "more") is None


async def test_two_streams_are_not_saved_at_once(
    recorder: CommitRecorder, store: AsyncEventStore
) -> None:
    with pytest.raises(ProgrammingError, match="one commit of one stream"):
        recorder.insert_events([*events_of("a", 1), *events_of("b", 1)])

    assert await store.load({"a": 0, "b": 0}) == {"a": [], "b": []}


def test_what_a_commit_has_no_place_for_is_refused(recorder: CommitRecorder) -> None:
    with pytest.raises(NotSupportedError, match="tracking"):
        recorder.insert_events(events_of("a", 1), tracking=Tracking("upstream", 7))
    assert recorder.select_events("a") == []


def test_there_are_no_notifications(recorder: CommitRecorder) -> None:
    assert recorder.insert_events(events_of("a", 1)) is None
    for asked in (
        lambda: recorder.select_notifications(None, 1),
        recorder.max_notification_id,
        recorder.subscribe,
    ):
        with pytest.raises(NotSupportedError):
            asked()


async def test_a_commit_keeps_to_the_size_that_the_broker_takes(
    texts: MongoDatastore, store: AsyncEventStore
) -> None:
    small = CommitRecorder(texts, collection_name="stored_events", max_commit_bytes=1_000)
    with pytest.raises(CommitTooLarge):
        small.insert_events([StoredEvent("a", 1, "topic", bytes(1_000))])
    assert (await store.load({"a": 0}))["a"] == []


@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_part_of_commits_is_selected(recorder: CommitRecorder, size: int) -> None:
    for first in range(1, 401, size):
        recorder.insert_events(events_of("a", first, size))
    everything = events_of("a", 1, 400)

    assert recorder.select_events("a", gt=2, lte=10) == everything[2:10]
    assert recorder.select_events("a", gt=2, lte=10, desc=True) == everything[2:10][::-1]
    assert recorder.select_events("a", gt=203, limit=3) == everything[203:206]
    assert recorder.select_events("a", lte=10, desc=True, limit=3) == everything[7:10][::-1]
    assert recorder.select_events("a", gt=396) == everything[396:]
    assert recorder.select_events("a", gt=400) == []


def test_an_event_says_when_it_was_recorded_and_the_last_which_hash_it_ended_with(
    recorder: CommitRecorder,
) -> None:
    first, second = chained("a", [2, 1])
    for commit in (first, second):
        recorder.insert_events(recorded(commit), causes=commit.causes, public=commit.public)

    selected = recorder.select_events("a")

    assert all(isinstance(event, RecordedEvent) for event in selected)
    told = [(e.recorded_at, e.head) for e in selected if isinstance(e, RecordedEvent)]
    assert told == [
        (first.recorded_at, b""),
        (first.recorded_at, first.hash),
        (second.recorded_at, second.hash),
    ]


async def test_a_commit_that_is_gone_is_not_passed_over(
    recorder: CommitRecorder, texts: MongoDatastore
) -> None:
    for first in (1, 2, 3):
        recorder.insert_events(events_of("a", first))
    texts.collection("stored_events").delete_one({"first": 2})

    for gt in (None, 1):
        with pytest.raises(StreamBroken):
            recorder.select_events("a", gt=gt)
    assert recorder.select_events("a", gt=2) == events_of("a", 3)


async def test_both_drivers_take_the_versions_that_the_other_wrote(
    recorder: CommitRecorder, store: AsyncEventStore
) -> None:
    recorder.insert_events(events_of("a", 1, 2))
    third = commit_of("a", 3, events=2)
    assert await store.append([third]) == [Appended(third)]

    assert [event.state for event in recorder.select_events("a", gt=1)] == [
        b"state",
        b"a 3",
        b"a 4",
    ]
    with pytest.raises(IntegrityError):
        recorder.insert_events(events_of("a", 3), prev=third.prev)
    [refused] = await store.append([commit_of("a", 1)])
    assert isinstance(refused, VersionConflict)


async def test_the_newest_snapshot_replaces_the_one_before(texts: MongoDatastore) -> None:
    snapshots = SnapshotRecorder(texts, collection_name="stored_snapshots")
    for version in (3, 7, 5):
        snapshots.insert_events([StoredEvent("a", version, "shape", b"state %d" % version)])
    seventh = StoredEvent("a", 7, "shape", b"state 7")

    assert snapshots.select_events("a", desc=True, limit=1) == [seventh]
    assert snapshots.select_events("a", lte=7) == [seventh]
    assert snapshots.select_events("a", lte=6) == []
    assert snapshots.select_events("b") == []
    assert texts.collection("stored_snapshots").count_documents({}) == 1


def test_a_server_that_does_not_answer_is_an_operational_error() -> None:
    datastore = MongoDatastore("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "nowhere")
    recorder = CommitRecorder(datastore, collection_name="stored_events")
    snapshots = SnapshotRecorder(datastore, collection_name="stored_snapshots")
    for attempt in (
        lambda: recorder.insert_events(events_of(uuid4(), 1)),
        lambda: recorder.select_events(uuid4()),
        lambda: recorder.caused_by("a", "paid"),
        lambda: snapshots.insert_events(events_of(uuid4(), 1)),
        lambda: snapshots.select_events(uuid4()),
        recorder.ensure_indexes,
    ):
        with pytest.raises(OperationalError):
            attempt()
    datastore.close()


def test_a_factory_makes_recorders_of_the_collections_that_it_is_told(
    mongodb_url: str, mongodb_name: str, texts: MongoDatastore
) -> None:
    factory = Factory(
        env={
            "MONGODB_URL": mongodb_url,
            "MONGODB_NAME": mongodb_name,
            "COMMITS_COLLECTION": "teams_commits",
            "SNAPSHOTS_COLLECTION": "teams_snapshots",
            "ORIGINATOR_ID_TYPE": "text",
        }
    )

    factory.application_recorder().insert_events(events_of("a", 1))
    factory.aggregate_recorder().insert_events(events_of("a", 2))
    factory.aggregate_recorder("snapshots").insert_events(events_of("a", 2))
    factory.close()

    stored = texts.collection("teams_commits").find().sort("_id").to_list()
    assert [from_document(document).last for document in stored] == [1, 2]
    assert texts.collection("teams_snapshots").count_documents({}) == 1
    assert {"causes", "pending"} <= texts.collection("teams_commits").index_information().keys()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"MONGODB_URL": ""}, "not found in the environment.*MONGODB_URL"),
        ({"MONGODB_NAME": ""}, "not found in the environment.*MONGODB_NAME"),
        ({"ORIGINATOR_ID_TYPE": "int"}, "must be 'uuid' or 'text'"),
    ],
)
def test_a_factory_says_what_is_wrong_with_its_settings(
    change: dict[str, str], complaint: str
) -> None:
    good = {"MONGODB_URL": "mongodb://127.0.0.1:1", "MONGODB_NAME": "n"}
    with pytest.raises(OSError, match=complaint):
        Factory(env=good | change)


def test_a_factory_offers_nothing_that_tracks() -> None:
    factory = Factory(env={"MONGODB_URL": "mongodb://127.0.0.1:1", "MONGODB_NAME": "n"})
    for make in (factory.tracking_recorder, factory.process_recorder):
        with pytest.raises(NotSupportedError):
            make()
    factory.close()


def test_a_url_that_is_none_is_an_interface_error() -> None:
    with pytest.raises(InterfaceError):
        Factory(env={"MONGODB_URL": "mongodb://", "MONGODB_NAME": "n"})


def test_a_recorded_event_equals_the_plain_one_of_its_place_and_content() -> None:
    plain = StoredEvent("a", 1, "topic", b"state")
    known = RecordedEvent("a", 1, "topic", b"state", datetime(2026, 1, 2, tzinfo=UTC), b"hash")
    assert known == plain
    assert hash(known) == hash(RecordedEvent("a", 1, "topic", b"state", AT))
    assert known != StoredEvent("a", 2, "topic", b"state")
