"""An audit goes on from what was verified, and what is altered afterwards is found all the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.eventstore.codec import commit_id, to_document
from libs.eventstore.commits import Commit
from libs.eventstore.store import AsyncEventStore
from libs.runtime.mongo import Document
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.read_models import verified_streams
from services.conversation.read_models.verified_streams import (
    AGAIN_AFTER,
    LONG,
    SLICE,
    VERIFIED,
    VerifiedSince,
    VerifiedStreams,
)
from tests.support.conversation.audited import audit, conversation_of_five
from tests.support.conversation.world import World, serving
from tests.support.eventstore.builders import chained

pytestmark = pytest.mark.servers

KEY = b"k" * 32
STREAM = "conversation"
# Some commits are of several events, and one of those lies across the end of a slice.
SIZES = [1] * (SLICE - 1) + [3] + [1] * (LONG + 100)


@pytest.fixture
async def store(database: AsyncDatabase[Document]) -> AsyncEventStore:
    store = AsyncEventStore(database[COMMITS])
    await store.ensure_indexes()
    return store


@pytest.fixture
async def commits(database: AsyncDatabase[Document], store: AsyncEventStore) -> list[Commit]:
    made = chained(STREAM, SIZES)
    await database[COMMITS].insert_many([to_document(commit) for commit in made])
    return made


@pytest.fixture
def streams(database: AsyncDatabase[Document], store: AsyncEventStore) -> VerifiedStreams:
    return VerifiedStreams(database[VERIFIED], store, KEY)


async def all_again(streams: VerifiedStreams, at: datetime) -> int:
    """In slices, as the service does; how many it took."""
    slices = 0
    while await streams.read_again(at):
        slices += 1
    return slices


def up_to(known: VerifiedSince) -> int:
    return known.before.head.version if known.before else 0


async def alter(database: AsyncDatabase[Document], commit: Commit) -> None:
    one = {"_id": commit_id(STREAM, commit.first)}
    await database[COMMITS].update_one(one, {"$set": {"events.0.data": b"never"}})


async def test_what_was_verified_is_not_read_again_and_what_is_new_is(
    database: AsyncDatabase[Document],
    store: AsyncEventStore,
    commits: list[Commit],
    streams: VerifiedStreams,
) -> None:
    first = await streams.verify(STREAM)
    newer = chained(STREAM, [*SIZES, 2, 1])[-2:]
    for commit in newer:
        await store.append([commit])
    second = await streams.verify(STREAM)
    third = await streams.verify(STREAM)

    assert (first.stream.commits, first.before) == (len(commits), None)
    assert (second.stream.commits, up_to(second)) == (len(commits) + 2, commits[-1].last)
    assert up_to(third) == second.stream.head.version == newer[-1].last
    assert third.before is not None
    assert second.before is not None
    assert third.before.since == second.before.since
    whole = await streams.verify(STREAM, whole=True)
    assert (whole.stream, whole.before) == (third.stream, None)
    # What is new and altered shows at once, by all of the stream.
    later = chained(STREAM, [*SIZES, 2, 1, 1])[-1:]
    await store.append(later)
    await alter(database, later[0])
    told = await streams.verify(STREAM)
    assert [(one.kind, one.first) for one in told.stream.findings] == [("altered", later[0].first)]
    assert await database[VERIFIED].count_documents({}) == 0


@pytest.mark.parametrize("place", [0, SLICE - 1, SLICE + 7, -1])
async def test_what_is_altered_afterwards_is_found_when_it_is_read_again(
    database: AsyncDatabase[Document], commits: list[Commit], streams: VerifiedStreams, place: int
) -> None:
    await streams.verify(STREAM)
    await alter(database, commits[place])
    assert not (await streams.verify(STREAM)).stream.findings
    assert not await all_again(streams, datetime.now(UTC)), "not yet: it was read a moment ago"

    await all_again(streams, datetime.now(UTC) + AGAIN_AFTER + timedelta(seconds=5))

    told = await streams.verify(STREAM)
    assert [(one.kind, one.first) for one in told.stream.findings] == [
        ("altered", commits[place].first)
    ]


async def test_an_end_that_was_cut_off_is_found_too(
    database: AsyncDatabase[Document],
    commits: list[Commit],
    streams: VerifiedStreams,
    capfd: pytest.CaptureFixture[str],
) -> None:
    await streams.verify(STREAM)
    await database[COMMITS].delete_one({"_id": commit_id(STREAM, commits[-1].first)})

    await all_again(streams, datetime.now(UTC) + AGAIN_AFTER + timedelta(seconds=5))

    assert "cut off" in "".join(capfd.readouterr())
    assert await database[VERIFIED].count_documents({}) == 0


async def test_read_again_it_counts_from_then_on_slice_by_slice(
    database: AsyncDatabase[Document], commits: list[Commit], streams: VerifiedStreams
) -> None:
    await streams.verify(STREAM)
    before = (await streams.verify(STREAM)).before
    later = datetime.now(UTC) + AGAIN_AFTER + timedelta(seconds=5)

    slices = await all_again(streams, later)

    after = (await streams.verify(STREAM)).before
    assert before is not None
    assert after is not None
    assert slices == -(-commits[-1].last // SLICE)
    assert replace(after, since=before.since) == before
    assert abs(after.since - later) < timedelta(milliseconds=1)
    document = await database[VERIFIED].find_one({"_id": STREAM})
    assert document is not None
    assert "again" not in document


@pytest.mark.parametrize("forged", ["since", "commits", "mac"])
async def test_what_was_written_without_the_key_is_not_believed(
    database: AsyncDatabase[Document], commits: list[Commit], streams: VerifiedStreams, forged: str
) -> None:
    await streams.verify(STREAM)
    value = {"since": datetime.now(UTC) + timedelta(days=1), "commits": 3, "mac": b""}[forged]
    await database[VERIFIED].update_one({"_id": STREAM}, {"$set": {forged: value}})

    told = await streams.verify(STREAM)

    assert (told.stream.commits, told.before) == (len(commits), None)


async def test_of_a_short_one_nothing_is_remembered(
    database: AsyncDatabase[Document], store: AsyncEventStore, streams: VerifiedStreams
) -> None:
    for commit in chained(STREAM, [1] * 5):
        await store.append([commit])

    await streams.verify(STREAM)

    assert await database[VERIFIED].count_documents({}) == 0


async def test_the_answer_says_since_when_it_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified_streams, "LONG", 2)
    dima = await world.member("Dima")
    async with serving(world):
        conversation_id = await conversation_of_five(world, dima)
        began = datetime.now(UTC) - timedelta(seconds=1)
        first = (await audit(world, dima, conversation_id))["chain"]
        second = (await audit(world, dima, conversation_id))["chain"]
        whole = (await audit(world, dima, conversation_id, whole="true"))["chain"]

    assert (first.get("verified_from"), first.get("verified_up_to", 0)) == (None, 0)
    assert second["verified_up_to"] == 5
    assert began < datetime.fromisoformat(second["verified_from"]) < datetime.now(UTC)
    assert whole == first
    told = ("version", "commits", "head", "verified")
    assert [second[name] for name in told] == [first[name] for name in told]
