"""The contract of the asynchronous store, on the real server."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection

from libs.eventstore.commits import Appended, Commit, StoredEvent
from libs.eventstore.errors import CauseRepeated, CommitTooLarge, StreamBroken, VersionConflict
from libs.eventstore.store import AsyncEventStore
from tests.support.eventstore.builders import AT, commit_of

pytestmark = pytest.mark.servers


async def appended(store: AsyncEventStore, *commits: Commit) -> None:
    """Append one after the other; every one has to succeed."""
    for commit in commits:
        assert await store.append([commit]) == [Appended(commit)]


async def test_what_is_loaded_is_what_was_appended(store: AsyncEventStore) -> None:
    first, second = commit_of("a", 1, events=3), commit_of("a", 4, public=False)
    other = commit_of("b")
    await appended(store, first, second, other)

    assert await store.load({"a": 0, "b": 0, "nobody": 0}) == {
        "a": [first, second],
        "b": [other],
        "nobody": [],
    }
    assert first.recorded_at == datetime(2025, 11, 2, 10, 41, 7, 123_000, tzinfo=UTC)


async def test_a_load_from_a_version_brings_what_is_newer(store: AsyncEventStore) -> None:
    in_order = [commit_of("a", 1, events=2), commit_of("a", 3), commit_of("a", 4, events=2)]
    in_order.append(commit_of("a", 6))
    await appended(store, *in_order, commit_of("b"), commit_of("ab"))

    assert await store.load({"a": 2, "b": 1, "ab": 0}) == {
        "a": in_order[1:],
        "b": [],
        "ab": [commit_of("ab")],
    }
    assert (await store.load({"a": 5}))["a"] == in_order[3:]
    assert (await store.load({"a": 6}))["a"] == []


async def test_a_load_of_many_streams_with_much_that_is_newer(store: AsyncEventStore) -> None:
    streams = [f"s{n}" for n in range(120)]
    for version in (1, 2, 3):
        await store.append([commit_of(stream, version) for stream in streams])

    loaded = await store.load(dict.fromkeys(streams, 1))

    assert loaded == {stream: [commit_of(stream, 2), commit_of(stream, 3)] for stream in streams}


async def test_a_missing_commit_is_noticed(
    store: AsyncEventStore, commits: AsyncCollection[dict[str, Any]]
) -> None:
    await appended(store, *(commit_of("a", version) for version in range(1, 5)))
    await commits.delete_one({"first": 3})

    with pytest.raises(StreamBroken, match="no commit at 3, but one at 4"):
        await store.load({"a": 0})


async def test_of_two_decisions_on_one_version_one_is_refused(store: AsyncEventStore) -> None:
    await appended(store, commit_of("a"))
    second, rival = commit_of("a", 2, causes=("x",)), commit_of("a", 2, events=2, causes=("y",))
    good = commit_of("b")

    await appended(store, second)
    [refused, taken] = await store.append([rival, good])

    assert isinstance(refused, VersionConflict)
    assert refused.stream == "a"
    assert taken == Appended(good)
    assert (await store.load({"a": 0}))["a"] == [commit_of("a"), second]


async def test_a_cause_is_applied_once_however_the_batches_are_cut(store: AsyncEventStore) -> None:
    await appended(store, commit_of("a", 1, causes=("m1", "m2")))

    [refused, elsewhere] = await store.append(
        [commit_of("a", 2, causes=("m3", "m2")), commit_of("b", 1, causes=("m2",))]
    )

    assert isinstance(refused, CauseRepeated)
    assert (refused.stream, refused.cause) == ("a", "m2")
    assert isinstance(elsewhere, Appended)
    assert await store.applied_causes({"a": ["m2", "m3"], "b": ["m2"], "c": ["m2"], "d": []}) == {
        "a": {"m2"},
        "b": {"m2"},
        "c": set(),
        "d": set(),
    }


async def test_many_rivals_have_one_winner(store: AsyncEventStore) -> None:
    rivals = [commit_of("a", 1, causes=(f"member-{n}",)) for n in range(50)]

    outcomes = await asyncio.gather(*(store.append([rival]) for rival in rivals))

    [winner] = [o.commit for [o] in outcomes if isinstance(o, Appended)]
    assert sum(isinstance(o, VersionConflict) for [o] in outcomes) == 49
    assert (await store.load({"a": 0}))["a"] == [winner]


async def test_two_commits_of_one_stream_in_a_call_are_a_mistake(store: AsyncEventStore) -> None:
    with pytest.raises(ValueError, match="at most one commit"):
        await store.append([commit_of("a", 1), commit_of("a", 2)])

    assert await store.append([]) == []
    assert await store.load({"a": 0}) == {"a": []}


async def test_a_commit_over_the_limit_is_refused_before_anything_is_written(
    commits: AsyncCollection[dict[str, Any]],
) -> None:
    store = AsyncEventStore(commits, max_commit_bytes=2_000)
    large = Commit("a", 1, ("c",), AT, (StoredEvent("t", b"x" * 2_000),))

    with pytest.raises(CommitTooLarge) as refused:
        await store.append([commit_of("b"), large])

    assert refused.value.size > refused.value.limit == 2_000
    assert await store.load({"a": 0, "b": 0}) == {"a": [], "b": []}
    store.check_size(commit_of("b"))


async def test_what_is_pending_until_it_is_marked(store: AsyncEventStore) -> None:
    a = [commit_of("a", version, at=AT + timedelta(seconds=version)) for version in (1, 2, 3)]
    b = commit_of("b", at=AT)
    await appended(store, *a, b)

    assert await store.count_pending() == 4
    assert await store.pending(10, AT + timedelta(seconds=3)) == [b, a[0], a[1]]
    assert await store.pending(2, AT + timedelta(seconds=3)) == [b, a[0]]

    await store.mark_published([a[0], "b:0000000001"])
    await store.mark_published([])

    assert await store.load_pending(["a", "b"]) == {"a": a[1:], "b": []}
    assert [c.pending for c in (await store.load({"a": 0}))["a"]] == [False, True, True]
    assert await store.count_pending() == 2


async def test_commits_of_one_instant_are_swept_in_order(store: AsyncEventStore) -> None:
    in_order = [commit_of("a", version) for version in range(1, 12)]
    await appended(store, *in_order)

    assert await store.pending(5, AT + timedelta(seconds=1)) == in_order[:5]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_a_stream_is_read_page_by_page(store: AsyncEventStore, limit: int) -> None:
    sizes, version, in_order = [1, 5, 1, 1, 9, 2, 1, 1, 1, 30, 1], 1, []
    for size in sizes:
        in_order.append(commit_of("a", version, events=size))
        version += size
    await appended(store, *in_order, commit_of("aa"), commit_of("b"))

    forwards: list[Commit] = []
    while page := await store.read("a", forwards[-1].last if forwards else 0, limit):
        assert len(page) == min(limit, len(sizes) - len(forwards))
        forwards += page
    backwards = await store.read("a", 0, limit, backwards=True)
    while backwards[-1].first > 1:
        page = await store.read("a", backwards[-1].first, limit, backwards=True)
        assert len(page) == min(limit, len(sizes) - len(backwards))
        backwards += page

    assert forwards == in_order
    assert backwards == in_order[::-1]
    assert await store.read("a", 1, limit, backwards=True) == []


async def test_pages_go_stream_by_stream_in_order(store: AsyncEventStore) -> None:
    for version in (1, 2, 3):
        await store.append([commit_of(stream, version) for stream in ("b", "a-1", "a")])

    pages = [page async for page in store.pages(size=2)]

    assert max(map(len, pages)) == 2
    seen = [(commit.stream, commit.first) for page in pages for commit in page]
    assert seen == [(stream, version) for stream in ("a-1", "a", "b") for version in (1, 2, 3)]


async def test_a_later_version_of_the_document_is_still_read(
    store: AsyncEventStore, commits: AsyncCollection[dict[str, Any]]
) -> None:
    await appended(store, commit_of("a"))
    await commits.update_one({"stream": "a"}, {"$set": {"generation": 2, "events.0.sealed": 1}})

    assert await store.load({"a": 0}) == {"a": [commit_of("a")]}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"stream": ""}, "name"),
        ({"stream": "a:1"}, "colon"),
        ({"events": ()}, "no events"),
        ({"causes": ()}, "no cause"),
        ({"causes": ("",)}, "no cause"),
        ({"first": -1}, "version"),
        ({"first": 9_999_999_999}, "version"),
        ({"recorded_at": datetime(2026, 1, 1)}, "zone"),
    ],
)
def test_a_commit_that_could_not_be_found_again_is_refused(
    change: dict[str, Any], complaint: str
) -> None:
    good: dict[str, Any] = {
        "stream": "a",
        "first": 1,
        "causes": ("c",),
        "recorded_at": AT,
        "events": (StoredEvent("t", b""), StoredEvent("t", b"")),
    }
    with pytest.raises(ValueError, match=complaint):
        Commit(**(good | change))


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"stream": {"$in": ["a", "b"]}}, "causes"),
        (
            {"$and": [{"pending": True, "at": {"$gte": AT}}, {"stream": {"$in": ["a", "b"]}}]},
            "causes",
        ),
        ({"$or": [{"stream": "a", "causes": {"$in": ["c"]}}]}, "causes"),
        ({"pending": True, "at": {"$lt": AT}}, "pending"),
        ({"pending": True, "at": {"$gte": AT}}, "pending"),
    ],
)
async def test_each_query_has_its_index(
    store: AsyncEventStore,
    commits: AsyncCollection[dict[str, Any]],
    query: dict[str, Any],
    index: str,
) -> None:
    await appended(store, commit_of("a"), commit_of("b"))

    plan = (await commits.find(query).explain())["queryPlanner"]["winningPlan"]

    assert f"'indexName': '{index}'" in str(plan)
    assert "COLLSCAN" not in str(plan)
