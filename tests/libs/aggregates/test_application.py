"""Commands on aggregates with few writes: saved by the library, seen through by the outbox."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import ConnectionFailure

from libs.aggregates.application import (
    ApplicationCommandHandler,
    EventSourcedApplication,
    StillInConflict,
)
from libs.aggregates.events import EventTypes
from libs.eventstore.commits import Appended, Commit, PublicMessage, StoredEvent
from libs.eventstore.errors import StreamSetAside
from libs.eventstore.outbox import Outbox, Step
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_all
from tests.support.aggregates.lamps import LAMPS, Lamp, LampState, TooBright

pytestmark = pytest.mark.servers

LAMP = "lamp_1"


class Lamps(EventSourcedApplication[Lamp]):
    event_types: ClassVar[EventTypes[Any]] = LAMPS
    state_class = LampState

    def __init__(self, url: str, database: str) -> None:
        where = {
            "MONGODB_URL": url,
            "MONGODB_NAME": database,
            "COMMITS_COLLECTION": "lamps_commits",
            "SNAPSHOTS_COLLECTION": "lamps_snapshots",
        }
        super().__init__(Lamp, where)


def told(lamp: Lamp) -> tuple[PublicMessage, ...]:
    """One message a change."""
    return tuple(
        PublicMessage(
            topic="lamps",
            type=type(change.event).__name__,
            id=f"{lamp.id}-{change.version}",
            key=lamp.id,
            subject=lamp.id,
            sequence=change.version,
            time=lamp.now,
            headers={},
            data=str(change.after.percent).encode(),
        )
        for change in lamp.changes
    )


@dataclass
class Process:
    """One process with its handler; ``published`` is what its broker has of it."""

    application: Lamps
    store: AsyncEventStore
    commits: AsyncCollection[dict[str, Any]]
    published: list[str] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        outbox = Outbox(self.store, self._project, self._publish, on_step=self._reached)
        self.handler = ApplicationCommandHandler(
            self.application, self.store, outbox, told, snapshot_every=10
        )

    async def _project(self, _commits: Sequence[object]) -> None:
        pass

    async def _publish(self, messages: Sequence[PublicMessage]) -> None:
        self.published += [message.id for message in messages]

    def _reached(self, step: Step) -> None:
        if step is Step.APPENDED and self.fails:
            raise self.fails.pop()

    async def loaded(self, stream: str = LAMP) -> list[Commit]:
        return (await self.store.load({stream: 0}))[stream]


@contextmanager
def _process(url: str, name: str, commits: AsyncCollection[dict[str, Any]]) -> Iterator[Process]:
    application = Lamps(url, name)
    yield Process(application, AsyncEventStore(commits), commits)
    application.close()


@pytest.fixture
async def collection(
    mongodb_url: str, mongodb_name: str
) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url)
    async with client:
        yield client[mongodb_name]["lamps_commits"]


@pytest.fixture
async def process(
    mongodb_url: str, mongodb_name: str, collection: AsyncCollection[dict[str, Any]]
) -> AsyncIterator[Process]:
    with _process(mongodb_url, mongodb_name, collection) as process:
        await process.store.ensure_indexes()
        await process.handler.handle(LAMP, "hung", lambda lamp: lamp.hang("wsp_1"))
        yield process


@pytest.fixture
async def other(
    process: Process,
    mongodb_url: str,
    mongodb_name: str,
    collection: AsyncCollection[dict[str, Any]],
) -> AsyncIterator[Process]:
    """Another process over the same documents."""
    with _process(mongodb_url, mongodb_name, collection) as other:
        yield other


def dim(percent: int, lamp: Lamp) -> None:
    lamp.dim(percent)


async def test_a_command_is_one_commit_that_was_published_and_marked(process: Process) -> None:
    def twice(lamp: Lamp) -> None:
        lamp.dim(40)
        lamp.dim(30)

    handled = await process.handler.handle(LAMP, "evening", twice)

    assert handled.aggregate.state == LampState("wsp_1", 30, 2)
    assert [change.version for change in handled.changes] == [2, 3]
    assert handled.published
    assert process.published == ["lamp_1-1", "lamp_1-2", "lamp_1-3"]
    hung, evening = await process.loaded()
    assert (evening.first, evening.last, evening.causes) == (2, 3, ("evening",))
    assert evening.events == (
        StoredEvent("lamp.dimmed.v1", b'{"percent":40}'),
        StoredEvent("lamp.dimmed.v1", b'{"percent":30}'),
    )
    assert [message.data for message in evening.public] == [b"40", b"30"]
    assert evening.prev == hung.hash
    assert not evening.pending
    assert (await verify_all(process.store)).findings == []


async def test_a_refused_command_saves_nothing(process: Process) -> None:
    with pytest.raises(TooBright):
        await process.handler.handle(LAMP, "noon", partial(dim, 101))
    assert len(await process.loaded()) == 1


async def test_where_there_is_nothing_to_do_nothing_is_saved(process: Process) -> None:
    handled = await process.handler.handle(LAMP, "again", lambda lamp: lamp.hang("wsp_2"))

    assert (handled.changes, handled.before, handled.published) == ((), None, False)
    assert handled.aggregate.state == LampState("wsp_1")
    assert len(await process.loaded()) == 1


async def test_a_cause_is_decided_on_once(process: Process, other: Process) -> None:
    await process.handler.handle(LAMP, "evening", partial(dim, 40))

    handled = await other.handler.handle(LAMP, "evening", partial(dim, 20))

    assert handled.changes == ()
    assert handled.before == (await process.loaded())[1]
    assert handled.aggregate.state == LampState("wsp_1", 40, 1)
    assert other.published == []


async def test_a_repeat_finishes_what_was_left_half_way(process: Process, other: Process) -> None:
    process.fails.append(ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        await process.handler.handle(LAMP, "evening", partial(dim, 40))
    assert (await process.loaded())[1].pending

    handled = await other.handler.handle(LAMP, "evening", partial(dim, 40))

    assert handled.before is not None
    assert other.published == ["lamp_1-2"]
    assert not (await process.loaded())[1].pending


async def test_what_was_left_half_way_is_published_before_what_comes_next(
    process: Process, other: Process
) -> None:
    process.fails.append(ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        await process.handler.handle(LAMP, "evening", partial(dim, 40))

    await other.handler.handle(LAMP, "night", partial(dim, 5))

    assert other.published == ["lamp_1-2", "lamp_1-3"]


async def test_of_many_at_once_each_is_decided_on_once_and_on_the_one_before(
    process: Process,
) -> None:
    decided: list[int] = []

    def brighter(lamp: Lamp) -> None:
        assert lamp.state is not None
        decided.append(lamp.version)
        lamp.dim(lamp.state.percent + 1)

    await asyncio.gather(*(process.handler.handle(LAMP, f"click {n}", brighter) for n in range(20)))

    assert decided == list(range(1, 21))
    assert (await process.handler.load(LAMP)).state == LampState("wsp_1", 20, 20)
    assert process.published == [f"lamp_1-{version}" for version in range(1, 22)]


async def test_processes_that_decide_at_once_lose_nothing(process: Process, other: Process) -> None:
    def brighter(lamp: Lamp) -> None:
        assert lamp.state is not None
        lamp.dim(lamp.state.percent + 1)

    await asyncio.gather(
        *(
            one.handler.handle(LAMP, f"{name} {n}", brighter)
            for n in range(10)
            for name, one in (("one", process), ("other", other))
        )
    )

    assert (await other.handler.load(LAMP)).state == LampState("wsp_1", 20, 20)
    published = process.published + other.published
    assert set(published) == {f"lamp_1-{version}" for version in range(1, 22)}
    assert (await verify_all(process.store)).findings == []


async def test_it_is_given_up_where_another_is_always_faster(
    process: Process, other: Process
) -> None:
    """Another thread appends between each load and the save that follows on it."""

    def overtaken(lamp: Lamp) -> None:
        faster: Lamp = other.application.load(LAMP).aggregate
        faster.dim(1)
        other.application.save(faster, causes=[f"faster {faster.version}"], prev=faster.head)
        lamp.dim(2)

    with pytest.raises(StillInConflict):
        await process.handler.handle(LAMP, "slow", overtaken)

    assert all(commit.causes != ("slow",) for commit in await process.loaded())


async def test_time_does_not_run_backwards_in_a_stream(process: Process) -> None:
    [hung] = await process.loaded()
    ahead = Commit(
        stream=LAMP,
        first=2,
        causes=("a replica whose clock is ahead",),
        recorded_at=datetime(2099, 1, 1, tzinfo=UTC),
        events=(StoredEvent("lamp.dimmed.v1", b'{"percent":40}'),),
        prev=hung.hash,
    )
    assert await process.store.append([ahead]) == [Appended(ahead)]

    await process.handler.handle(LAMP, "night", partial(dim, 5))

    assert [one.recorded_at for one in (await process.loaded())[1:]] == [ahead.recorded_at] * 2


async def test_a_load_stays_flat_and_a_snapshot_is_replaced(process: Process) -> None:
    for n in range(60):
        await process.handler.handle(LAMP, f"click {n}", partial(dim, n))

    loaded = await asyncio.to_thread(process.application.load, LAMP)

    assert loaded.aggregate.state == LampState("wsp_1", 59, 60)
    assert loaded.replayed <= 10
    assert loaded.aggregate.head == (await process.loaded())[-1].hash
    snapshots = process.commits.database["lamps_snapshots"]
    assert await snapshots.count_documents({}) == 1
    assert (await verify_all(process.store)).findings == []


async def test_snapshots_are_disposable(process: Process) -> None:
    for n in range(25):
        await process.handler.handle(LAMP, f"click {n}", partial(dim, n))
    await process.commits.database["lamps_snapshots"].drop()

    handled = await process.handler.handle(LAMP, "next", partial(dim, 70))

    assert handled.aggregate.state == LampState("wsp_1", 70, 26)
    kept = await process.commits.database["lamps_snapshots"].find_one({"_id": LAMP})
    assert kept is not None
    assert kept["version"] == 27


async def test_what_a_newer_version_wrote_sets_its_stream_aside_alone(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    [hung] = await process.loaded()
    newer = Commit(
        stream=LAMP,
        first=2,
        causes=("a newer version",),
        recorded_at=hung.recorded_at,
        events=(StoredEvent("lamp.coloured.v1", b'{"colour": "red"}'),),
        prev=hung.hash,
    )
    await process.store.append([newer])

    with caplog.at_level(logging.CRITICAL):
        for _ in range(2):
            with pytest.raises(StreamSetAside, match="UnknownEvent"):
                await process.handler.handle(LAMP, "evening", partial(dim, 40))
    with pytest.raises(StreamSetAside):
        await process.handler.load(LAMP)

    assert process.handler.unreadable == {LAMP: "UnknownEvent"}
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    assert (await process.loaded())[1:] == [newer]
    done = await process.handler.handle("lamp_2", "hung", lambda lamp: lamp.hang("wsp_2"))
    assert done.aggregate.state == LampState("wsp_2")

    # once a process can read it, nothing is told any more
    await process.commits.delete_one({"_id": f"{LAMP}:{newer.first:010d}"})
    await process.handler.load(LAMP)
    assert process.handler.unreadable == {}


async def test_events_that_do_not_fit_each_other_set_their_stream_aside(process: Process) -> None:
    await process.commits.update_one(
        {"stream": LAMP}, {"$set": {"events.0.data": b'{"workspace_id": 7}'}}
    )
    with pytest.raises(StreamSetAside, match="UnreadableEvent"):
        await process.handler.handle(LAMP, "evening", partial(dim, 40))


async def test_nothing_is_decided_on_a_stream_that_is_set_aside(process: Process) -> None:
    process.fails.append(ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        await process.handler.handle(LAMP, "evening", partial(dim, 40))
    await process.store.set_aside(LAMP, "TooLarge")

    with pytest.raises(StreamSetAside, match="TooLarge"):
        await process.handler.handle(LAMP, "night", partial(dim, 5))

    assert len(await process.loaded()) == 2
    assert (await process.handler.load(LAMP)).state == LampState("wsp_1", 40, 1)


async def test_a_server_that_is_away_is_told_as_the_driver_tells_it(process: Process) -> None:
    away = Lamps("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "nowhere")
    outbox: Any = None
    handler = ApplicationCommandHandler(away, process.store, outbox, told)
    with pytest.raises(ConnectionFailure):
        await handler.handle(LAMP, "evening", partial(dim, 40))
    with pytest.raises(ConnectionFailure):
        await handler.load(LAMP)
    away.close()
