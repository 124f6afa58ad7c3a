"""Snapshots beside the asynchronous store, on the real server."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection

from libs.eventstore.commits import Appended
from libs.eventstore.snapshots import Snapshot, Snapshots
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_stream
from tests.support.eventstore.builders import chained

pytestmark = pytest.mark.servers

AT = datetime(2025, 11, 2, 10, 41, 7, 123_000, tzinfo=UTC)


@pytest.fixture
def snapshots(commits: AsyncCollection[dict[str, Any]]) -> Snapshots:
    return Snapshots(commits.database["snapshots"])


def at(stream: str, version: int) -> Snapshot:
    return Snapshot(stream, version, AT, bytes([version]) * 32, f"{stream} {version}".encode())


async def test_the_newest_of_each_stream_is_loaded(snapshots: Snapshots) -> None:
    await snapshots.keep([at("a", 1), at("b", 4)])
    await snapshots.keep([at("a", 3), at("b", 2), at("c", 1)])

    assert await snapshots.load(["a", "b", "c", "nobody"]) == {
        "a": at("a", 3),
        "b": at("b", 4),
        "c": at("c", 1),
    }
    assert await snapshots.load([]) == {}
    await snapshots.keep([])


async def test_of_many_that_keep_at_once_the_newest_stays(snapshots: Snapshots) -> None:
    await asyncio.gather(*(snapshots.keep([at("a", version)]) for version in range(20, 0, -1)))

    assert (await snapshots.load(["a"]))["a"] == at("a", 20)


async def test_a_decision_on_a_snapshot_goes_on_with_the_chain(
    store: AsyncEventStore, snapshots: Snapshots
) -> None:
    for commit in chained("a", [2, 1]):
        await store.append([commit])
        await snapshots.keep([Snapshot("a", commit.last, AT, commit.hash, b"state")])

    snapshot = (await snapshots.load(["a"]))["a"]
    assert await store.load({"a": snapshot.version}) == {"a": []}
    [following] = chained("a", [1], after=(snapshot.version, snapshot.head))

    assert await store.append([following]) == [Appended(following)]
    assert (await verify_stream(store, "a")).findings == ()
