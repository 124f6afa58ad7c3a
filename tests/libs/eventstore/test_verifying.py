"""Verifying what is stored, on the real server."""

from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection

from libs.eventstore.chain import Head
from libs.eventstore.codec import commit_id
from libs.eventstore.commits import GENESIS, Commit
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_all, verify_stream
from tests.support.eventstore.builders import chained

pytestmark = pytest.mark.servers

Collection = AsyncCollection[dict[str, Any]]


@pytest.fixture
async def stored(store: AsyncEventStore) -> dict[str, list[Commit]]:
    """Three streams of which one's name begins like another's."""
    streams = {name: chained(name, [2, 1, 3, 1]) for name in ("a", "a-1", "b")}
    for commits in zip(*streams.values(), strict=True):
        await store.append(commits)
    return streams


async def told(store: AsyncEventStore, known: dict[str, Head] | None = None) -> list[str]:
    verified = await verify_all(store, known)
    return [f"{f.stream} {f.first}-{f.last} {f.kind}" for f in verified.findings]


async def test_what_was_appended_verifies(
    store: AsyncEventStore, stored: dict[str, list[Commit]]
) -> None:
    heads = {stream: Head(7, commits[-1].hash) for stream, commits in stored.items()}

    verified = await verify_all(store, heads)
    one = await verify_stream(store, "a", heads["a"])

    assert (verified.streams, verified.commits, verified.findings) == (3, 12, [])
    assert (one.commits, one.head, one.findings) == (4, heads["a"], ())


async def test_marks_do_not_matter(store: AsyncEventStore, stored: dict[str, list[Commit]]) -> None:
    await store.mark_published(stored["a"])
    assert await told(store) == []


async def test_a_stream_that_is_not_there(store: AsyncEventStore) -> None:
    nobody = await verify_stream(store, "nobody")
    assert (nobody.commits, nobody.head, nobody.findings) == (0, Head(0, GENESIS), ())


@pytest.mark.usefixtures("stored")
async def test_each_stream_has_its_own_findings(
    store: AsyncEventStore, commits: Collection
) -> None:
    await commits.update_one({"_id": commit_id("a", 3)}, {"$set": {"events.0.data": b"never"}})
    await commits.delete_one({"_id": commit_id("a-1", 3)})
    await commits.update_one({"_id": commit_id("b", 7)}, {"$set": {"stream": "z"}})

    assert await told(store) == ["a-1 3-3 removed", "a 3-3 altered", "b 7-7 altered"]
    [altered] = (await verify_stream(store, "b")).findings
    assert (altered.first, altered.kind) == (7, "altered")


async def test_what_was_cut_off_or_made_anew_needs_a_head_from_elsewhere(
    store: AsyncEventStore, commits: Collection, stored: dict[str, list[Commit]]
) -> None:
    heads = {stream: Head(c[-1].last, c[-1].hash) for stream, c in stored.items()}
    await commits.delete_one({"_id": commit_id("a", 7)})
    await commits.delete_many({"stream": "a-1"})
    await commits.delete_many({"stream": "b"})
    for commit in chained("b", [2, 2, 2, 1]):
        await store.append([commit])

    assert await told(store) == []
    assert await told(store, heads) == ["a 7-7 cut off", "b 1-7 made anew", "a-1 1-7 cut off"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("stray_id", ["a:3", "a", "a:000000000x", 7, "z:0000000099"])
async def test_a_document_that_a_load_would_take_for_a_commit_is_found(
    store: AsyncEventStore, commits: Collection, stray_id: str | int
) -> None:
    """Whatever its id is: streams are loaded by the name that stands in the documents."""
    document = await commits.find_one({"_id": commit_id("a", 7)}) or {}
    await commits.insert_one(document | {"_id": stray_id, "first": 8, "causes": ["stray"]})

    assert len(await told(store)) == 1
    [inserted] = (await verify_stream(store, "a")).findings
    assert (inserted.kind, inserted.stream) == ("inserted", "a")
    assert repr(stray_id) in inserted.why
