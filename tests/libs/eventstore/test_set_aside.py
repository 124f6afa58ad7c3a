"""No stream holds up another: what cannot be seen to the end is set aside, on the real server."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from msgspec.structs import replace
from pymongo.asynchronous.collection import AsyncCollection

from libs.eventstore.codec import to_document
from libs.eventstore.commits import Appended, PublicMessage
from libs.eventstore.decisions import Decision
from libs.eventstore.errors import CommitUnfit, CommitUnreadable, StreamSetAside
from libs.eventstore.outbox import Outbox
from libs.eventstore.store import AsyncEventStore
from tests.support.eventstore.builders import commit_of
from tests.support.eventstore.replicas import Topic
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

type Commits = AsyncCollection[dict[str, Any]]


class ServerAway(Exception):
    """A failure that passes, and is nobody's own."""


class Service:
    """Cannot project or publish what is bad."""

    def __init__(self, store: AsyncEventStore, *bad: str, limit: int = 500) -> None:
        self.topic = Topic()
        self.bad = set(bad)
        self.unpublishable: set[str] = set()
        self.away = 0
        self.is_broken = False
        self.outbox = Outbox(
            store,
            self._project,
            self._publish,
            settle=timedelta(0),
            sweep_limit=limit,
            is_own=lambda error: not isinstance(error, ServerAway),
        )

    async def _project(self, decisions: Sequence[Decision[Any]]) -> None:
        if self.is_broken:
            raise ZeroDivisionError
        if self.away:
            self.away -= 1
            raise ServerAway
        if any(one.stream in self.bad for one in decisions):
            raise OverflowError("date value out of range")

    async def _publish(self, messages: Sequence[PublicMessage]) -> None:
        if any(message.subject in self.unpublishable for message in messages):
            raise UnicodeError("a header is no text")
        await self.topic.publish(messages)


async def test_in_a_batch_of_many_streams_only_the_poisonous_one_fails(
    store: AsyncEventStore,
) -> None:
    service = Service(store, "s3")
    service.unpublishable = {"s7"}
    commits = [commit_of(f"s{n}") for n in range(10)]

    outcomes = await service.outbox.commit(commits, pending_before=())

    good = [n for n in range(10) if n not in (3, 7)]
    assert [outcomes[n] for n in good] == [Appended(commits[n]) for n in good]
    assert [(type(outcomes[n]), outcomes[n].why) for n in (3, 7)] == [  # type: ignore[union-attr]
        (StreamSetAside, "OverflowError"),
        (StreamSetAside, "UnicodeError"),
    ]
    assert sorted(service.topic.first_appearances()) == [f"s{n}" for n in good]
    assert await store.count_pending() == 0
    assert await store.streams_set_aside() == {"s3": "OverflowError", "s7": "UnicodeError"}


async def test_what_is_set_aside_does_not_fill_the_sweeps_and_comes_back_on_request(
    store: AsyncEventStore,
) -> None:
    bad = [f"bad{n}" for n in range(5)]
    service = Service(store, *bad, limit=3)
    await store.append([commit_of(stream) for stream in bad])
    await store.append([commit_of(f"good{n}") for n in range(5)])
    await store.append([commit_of("bad0", 2)])

    for _ in range(6):
        await service.outbox.sweep()

    assert sorted(service.topic.first_appearances()) == [f"good{n}" for n in range(5)]
    assert sorted(await store.streams_set_aside()) == bad
    [first, second] = (await store.load_pending(["bad0"]))["bad0"]
    assert (first.aside, second.aside) == ("OverflowError", "OverflowError")

    service.bad = {"bad4"}
    assert await store.take_back(["bad0"]) == 2
    assert await store.take_back() == 4
    for _ in range(4):
        await service.outbox.sweep()

    assert service.topic.first_appearances()["bad0"] == [1, 2]
    assert await store.streams_set_aside() == {"bad4": "OverflowError"}


def unreadable() -> dict[str, dict[str, Any]]:
    """Documents that are no commits, each in a way of its own; all pending."""
    far = DatetimeMS(9_000_000_000_000_000)
    documents = {name: to_document(commit_of(name)) for name in ("far", "typed", "bare", "bytes")}
    documents["far"]["at"] = far
    documents["typed"]["at"] = "yesterday"
    documents["bare"] = {"_id": "bare:0000000001", "pending": True, "at": datetime(2020, 1, 1)}
    documents["bytes"]["events"] = b"\xff\xfe"
    return documents


async def test_documents_that_are_no_commits_are_set_aside_and_nothing_else(
    store: AsyncEventStore, commits: Commits
) -> None:
    service = Service(store)
    for document in unreadable().values():
        await commits.insert_one(document)
    await store.append([commit_of("good")])

    await service.outbox.sweep()

    assert service.topic.first_appearances() == {"good": [1]}
    assert sorted(await store.streams_set_aside()) == ["bare:0000000001", "bytes", "far", "typed"]
    await store.append([commit_of("later")])
    await service.outbox.sweep()
    assert sorted(service.topic.first_appearances()) == ["good", "later"]


async def test_one_that_cannot_be_read_spoils_no_page_of_others(
    store: AsyncEventStore, commits: Commits
) -> None:
    for document in unreadable().values():
        await commits.insert_one(document)
    await store.append([commit_of("good")])

    with pytest.raises(CommitUnreadable) as one:
        await store.load({"good": 0, "far": 0})
    found: list[CommitUnreadable] = []
    pages = [commit async for page in store.pages(unreadable=found) for commit in page]

    assert one.value.stream == "far"
    assert [commit.stream for commit in pages] == ["good"]
    assert sorted(error.stream for error in found) == ["bare", "bytes", "far", "typed"]
    assert await store.load({"good": 0}) == {"good": [commit_of("good")]}


async def test_a_text_that_is_no_text_is_read_with_all_others(
    store: AsyncEventStore, commits: Commits
) -> None:
    document = to_document(commit_of("odd"))
    raw = bson.encode(document).replace(b"cause-of-1", b"cause-of-\xff")
    await store.append([commit_of("good")])
    try:
        await commits.insert_one(RawBSONDocument(raw))
    except Exception:
        pytest.skip("this server refuses such a text by itself")

    loaded = await store.load({"good": 0, "odd": 0})

    assert loaded["good"] == [commit_of("good")]


async def test_what_passes_or_meets_everybody_sets_nothing_aside(store: AsyncEventStore) -> None:
    service = Service(store)
    service.away = 1
    with pytest.raises(ServerAway):
        await service.outbox.commit([commit_of("a"), commit_of("b")], pending_before=())
    service.is_broken = True
    with pytest.raises(ZeroDivisionError):
        await service.outbox.sweep()
    assert await store.streams_set_aside() == {}

    service.is_broken = False
    assert await service.outbox.sweep() == 2


async def test_who_takes_up_what_cannot_be_seen_to_the_end_is_told(
    store: AsyncEventStore,
) -> None:
    service = Service(store, "bad")
    await store.append([commit_of("bad"), commit_of("good")])
    seen = [c for own in (await store.load({"bad": 0, "good": 0})).values() for c in own]

    with pytest.raises(StreamSetAside, match="bad is set aside"):
        await service.outbox.take_up(seen)

    assert service.topic.first_appearances() == {"good": [1]}


async def test_the_sweeper_goes_on(store: AsyncEventStore) -> None:
    service = Service(store, "bad")
    await store.append([commit_of("bad")])
    stop = asyncio.Event()
    sweeper = asyncio.create_task(service.outbox.run_sweeper(0.02, stop))
    await store.append([commit_of("good")])
    await eventually(lambda: "good" in service.topic.first_appearances())
    stop.set()
    await sweeper


@pytest.mark.parametrize("causes", [("\ud800",)], ids=["a surrogate"])
async def test_what_no_document_can_hold_is_refused_before_anything_is_written(
    store: AsyncEventStore, causes: tuple[str, ...]
) -> None:
    unfit = replace(commit_of("unfit"), causes=causes, hash=b"x" * 32)

    with pytest.raises(CommitUnfit) as refused:
        await store.append([commit_of("good"), unfit])

    assert refused.value.stream == "unfit"
    assert await store.load({"good": 0}) == {"good": []}


async def test_a_commit_recorded_before_all_commits_is_no_commit(
    store: AsyncEventStore, commits: Commits
) -> None:
    document = to_document(commit_of("old")) | {"at": datetime(1890, 1, 1, tzinfo=UTC)}
    await commits.insert_one(document)

    assert await Service(store).outbox.sweep() == 0

    assert list(await store.streams_set_aside()) == ["old"]
