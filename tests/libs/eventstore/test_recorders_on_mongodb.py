"""What the library's own cases leave open about the recorders."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    StoredEvent,
    Tracking,
)

from libs.eventstore import Factory
from libs.eventstore.commits import Appended
from libs.eventstore.datastore import MongoDatastore
from libs.eventstore.errors import VersionConflict
from libs.eventstore.recorders import (
    MongoAggregateRecorder,
    MongoApplicationRecorder,
    MongoProcessRecorder,
    MongoTrackingRecorder,
)
from libs.eventstore.store import AsyncEventStore
from tests.libs.eventstore.builders import commit_of

pytestmark = pytest.mark.servers


def events_of(originator_id: UUID | str, first: int, count: int = 1) -> list[StoredEvent]:
    return [
        StoredEvent(originator_id, version, f"topic{version % 2}", b"state")
        for version in range(first, first + count)
    ]


@pytest.fixture
def recorder(datastore: MongoDatastore) -> MongoApplicationRecorder:
    recorder = MongoApplicationRecorder(datastore)
    recorder.ensure_indexes()
    return recorder


@pytest.mark.parametrize("recorder_class", [MongoAggregateRecorder, MongoApplicationRecorder])
def test_several_aggregates_are_saved_all_or_none(
    datastore: MongoDatastore, recorder_class: type[MongoAggregateRecorder]
) -> None:
    recorder = recorder_class(datastore)
    recorder.ensure_indexes()
    a, b = uuid4(), uuid4()
    recorder.insert_events([*events_of(a, 1, 2), *events_of(b, 1)])

    with pytest.raises(IntegrityError):
        recorder.insert_events([*events_of(a, 3), *events_of(b, 1)])

    assert recorder.select_events(a) == events_of(a, 1, 2)
    assert recorder.select_events(b) == events_of(b, 1)


def test_notification_ids_follow_the_events_through_several_commits(
    recorder: MongoApplicationRecorder,
) -> None:
    a, b = uuid4(), uuid4()
    mixed = [*events_of(a, 1, 2), *events_of(b, 1), *events_of(a, 3), *events_of(b, 7)]

    assert recorder.insert_events(mixed) == [1, 2, 3, 4, 5]

    seen = recorder.select_notifications(start=2, limit=3)
    assert [(n.id, n.originator_id, n.originator_version) for n in seen] == [
        (2, a, 2),
        (3, b, 1),
        (4, a, 3),
    ]


@pytest.mark.parametrize("first", [2, 3])
def test_a_version_inside_a_commit_is_taken_too(
    recorder: MongoApplicationRecorder, first: int
) -> None:
    a = uuid4()
    recorder.insert_events(events_of(a, 1, 3))

    with pytest.raises(IntegrityError):
        recorder.insert_events(events_of(a, first, 4))

    assert recorder.max_notification_id() == 3


def test_a_part_of_commits_is_selected(recorder: MongoApplicationRecorder) -> None:
    a = uuid4()
    for first in (1, 5, 9):
        recorder.insert_events(events_of(a, first, 4))
    everything = events_of(a, 1, 12)

    assert recorder.select_events(a, gt=2, lte=10) == everything[2:10]
    assert recorder.select_events(a, gt=2, lte=10, desc=True) == everything[2:10][::-1]
    assert recorder.select_events(a, gt=2, limit=3) == everything[2:5]
    assert recorder.select_events(a, lte=10, desc=True, limit=3) == everything[7:10][::-1]
    assert recorder.select_events(a, gt=12) == []


def test_notifications_are_paged_through_large_commits(recorder: MongoApplicationRecorder) -> None:
    for count in (1, 2_300, 1, 1_500):
        recorder.insert_events(events_of(uuid4(), 1, count))

    seen: list[int] = []
    while page := recorder.select_notifications(seen[-1] + 1 if seen else None, 700):
        seen += [notification.id for notification in page]

    assert seen == [*range(1, 3_803)]
    odd = recorder.select_notifications(None, 5_000, stop=3_000, topics=["topic1"])
    assert len(odd) == 1 + 1_150 + 1 + 349


def test_a_reader_by_position_skips_nothing_that_was_in_flight(
    mongodb_url: str, mongodb_name: str, recorder: MongoApplicationRecorder
) -> None:
    """Several processes (here: clients, each with its own lock) write; one follows."""
    stores = [MongoDatastore(mongodb_url, mongodb_name) for _ in range(3)]
    writers = [MongoApplicationRecorder(store) for store in stores]
    written = threading.Event()
    seen: list[int] = []

    def follow() -> None:
        last_look = False
        while True:
            page = recorder.select_notifications(seen[-1] + 1 if seen else None, 50)
            seen.extend(notification.id for notification in page)
            if not page and last_look:
                return
            last_look = written.is_set()

    def write(writer: MongoApplicationRecorder) -> None:
        for _ in range(30):
            writer.insert_events([*events_of(uuid4(), 1, 2), *events_of(uuid4(), 1)])

    with ThreadPoolExecutor() as threads:
        following = threads.submit(follow)
        for writing in [threads.submit(write, writer) for writer in writers]:
            writing.result()
        written.set()
        following.result()
    for store in stores:
        store.close()

    assert seen == [*range(1, 3 * 30 * 3 + 1)]


def test_events_and_their_tracking_are_one_transaction(datastore: MongoDatastore) -> None:
    recorder = MongoProcessRecorder(datastore)
    recorder.ensure_indexes()
    a = uuid4()
    recorder.insert_events(events_of(a, 1), tracking=Tracking("upstream", 7))

    with pytest.raises(IntegrityError):
        recorder.insert_events(events_of(a, 2), tracking=Tracking("upstream", 7))
    with pytest.raises(IntegrityError):
        recorder.insert_events(events_of(a, 1), tracking=Tracking("upstream", 8))

    assert recorder.select_events(a) == events_of(a, 1)
    assert recorder.max_tracking_id("upstream") == 7


async def test_both_drivers_read_what_the_other_wrote(
    mongodb_url: str, mongodb_name: str, store: AsyncEventStore
) -> None:
    datastore = MongoDatastore(mongodb_url, mongodb_name, originator_id_type="text")
    recorder = MongoAggregateRecorder(datastore)
    recorder.insert_events(events_of("a", 1, 2))
    assert await store.append([commit_of("a", 3, events=2)]) == [
        Appended(commit_of("a", 3, events=2))
    ]

    [first, second] = (await store.load({"a": 0}))["a"]
    assert [event.data for event in first.events] == [b"state", b"state"]
    assert (first.pending, second) == (False, commit_of("a", 3, events=2))
    assert [e.state for e in recorder.select_events("a", gt=1)] == [b"state", b"a 3", b"a 4"]
    with pytest.raises(IntegrityError):
        recorder.insert_events(events_of("a", 3))
    [refused] = await store.append([commit_of("a", 1)])
    assert isinstance(refused, VersionConflict)
    datastore.close()


def test_a_server_that_does_not_answer_is_an_operational_error() -> None:
    datastore = MongoDatastore(
        "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "nowhere", transaction_timeout_s=0.1
    )
    recorder = MongoProcessRecorder(datastore)
    attempts: list[Callable[[], object]] = [
        lambda: recorder.insert_events(events_of(uuid4(), 1)),
        lambda: recorder.select_events(uuid4()),
        lambda: recorder.select_notifications(None, 1),
        lambda: recorder.max_tracking_id("upstream"),
        lambda: recorder.insert_tracking(Tracking("upstream", 1)),
        recorder.ensure_indexes,
    ]
    for attempt in attempts:
        with pytest.raises(OperationalError):
            attempt()
    datastore.close()


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


def test_a_factory_takes_subclasses_only() -> None:
    env = {
        "MONGODB_URL": "mongodb://127.0.0.1:1",
        "MONGODB_NAME": "n",
        "APPLICATION_RECORDER_TOPIC": f"{MongoTrackingRecorder.__module__}:MongoTrackingRecorder",
    }
    factory = Factory(env=env)
    with pytest.raises(OSError, match="subclass of MongoApplicationRecorder"):
        factory.application_recorder()
    factory.close()


def test_a_url_that_is_none_is_an_interface_error() -> None:
    with pytest.raises(InterfaceError):
        Factory(env={"MONGODB_URL": "mongodb://", "MONGODB_NAME": "n"})
