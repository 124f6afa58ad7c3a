"""Rebuilding a read model from the commits, while the service goes on.

The rows are first made in a collection beside the live one, from the commits alone, so that nothing
of the live rows is believed. Then the two are compared and made to agree: a rebuilt row takes the
place of a live one that is not newer, because a newer one was projected from commits that came
after the rebuild passed its stream; a live row whose stream has no commits is removed. It is read
and written by the service meanwhile.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pymongo import ReplaceOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from libs.eventstore.commits import Commit
from libs.eventstore.store import AsyncEventStore
from libs.runtime.mongo import Document
from services.conversation.keyring import Keyring
from services.conversation.rows import COMMITS, Rows, find_rows, insert_missing
from services.conversation.sealed_store import SealedStore

_BATCH: Final = 500
_KEYS_CACHED: Final = 5_000


class ReadModel(Protocol):
    """What has to be known of a read model to build it again."""

    @property
    def collection(self) -> str: ...

    def rows_of(self, stream: Sequence[Commit]) -> list[Document]:
        """What the whole of one stream gives rise to."""
        ...

    def part(self, row: Document) -> UpdateOne | None:
        """How a row is added where several streams make up one; None: a row is of one stream."""
        ...

    def merged(self, live: Document, rebuilt: Document) -> Document:
        """What is to be there: of each part the newer."""
        ...

    def same(self, live: Document) -> Document:
        """The condition that a live row is still what it was when it was compared."""
        ...

    def stream_of(self, live: Document) -> str | None:
        """Without whose commits a row has no right to be there; None where it stays."""
        ...

    async def finish(self, live: Rows) -> None:
        """Take out what the rebuild brought back and should not have."""
        ...


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``replaced``: live rows that were missing or differed from what their commits say;
    ``removed``: live rows without any commit."""

    commits: int
    events: int
    rows: int
    replaced: int
    removed: int


def beside_of(collection: str) -> str:
    """Where its rows are while they are made; what a stopped rebuild left stands there too."""
    return f"{collection}_rebuilt"


async def rebuild(
    database: AsyncDatabase[Document], deployment_key: bytes, model: ReadModel
) -> Rebuilt:
    """One at a time for each read model: the collection beside the live one has a fixed name, so
    that what a stopped rebuild left is dropped by the next. Errors: the driver's."""
    keyring = Keyring(database, deployment_key, _KEYS_CACHED)
    store = SealedStore(AsyncEventStore(database[COMMITS]), keyring)
    live, beside = database[model.collection], database[beside_of(model.collection)]
    await beside.drop()
    try:
        commits = events = 0
        waiting: list[Document] = []
        async for stream in _streams(store):
            commits += len(stream)
            events += stream[-1].last
            waiting += model.rows_of(stream)
            if len(waiting) >= _BATCH:
                await _add(beside, model, waiting)
                waiting = []
        await _add(beside, model, waiting)
        replaced = await _merge(beside, live, model)
        removed = await _remove_strangers(beside, live, store, model.stream_of)
        await model.finish(live)
        rows = await beside.count_documents({})
        return Rebuilt(commits, events, rows, replaced, removed)
    finally:
        await beside.drop()


async def _streams(store: SealedStore) -> AsyncIterator[list[Commit]]:
    """The commits of each stream; a stream is as long as its commits were without a gap."""
    stream: list[Commit] = []
    async for commit in store.all():
        if stream and commit.stream != stream[0].stream:
            yield stream
            stream = []
        if commit.first == (stream[-1].last if stream else 0) + 1:
            stream.append(commit)
    if stream:
        yield stream


async def _add(beside: Rows, model: ReadModel, rows: Sequence[Document]) -> None:
    parts = [(row, model.part(row)) for row in rows]
    whole = [row for row, part in parts if part is None]
    updates = [part for _, part in parts if part is not None]
    if whole:
        await beside.insert_many(whole, ordered=False)
    if updates:
        await beside.bulk_write(updates, ordered=False)


async def _merge(rebuilt: Rows, live: Rows, model: ReadModel) -> int:
    replaced = 0
    batch: list[Document] = []
    async for row in rebuilt.find():
        batch.append(row)
        if len(batch) >= _BATCH:
            replaced += await _merge_batch(batch, live, model)
            batch = []
    return replaced + (await _merge_batch(batch, live, model) if batch else 0)


async def _merge_batch(batch: Sequence[Document], live: Rows, model: ReadModel) -> int:
    there = {row["_id"]: row for row in await find_rows(live, [row["_id"] for row in batch])}
    missing = [row for row in batch if row["_id"] not in there]
    refused = await insert_missing(live, missing)
    operations = []
    for row in batch:
        present = there.get(row["_id"])
        if present is None:
            continue
        wanted = model.merged(present, row)
        if wanted != present:
            # Only over the row that was compared: one written meanwhile is newer.
            operations.append(ReplaceOne({"_id": row["_id"], **model.same(present)}, wanted))
    replaced = len(missing) - len(refused)
    if operations:
        replaced += (await live.bulk_write(operations, ordered=False)).matched_count
    return replaced


async def _remove_strangers(
    rebuilt: Rows, live: Rows, store: SealedStore, stream_of: Callable[[Document], str | None]
) -> int:
    known = {row["_id"] async for row in rebuilt.find({}, {"_id": 1})}
    strangers: dict[str, str] = {}
    async for row in live.find({}, {"c": 1}):
        if row["_id"] not in known and (stream := stream_of(row)) is not None:
            strangers[row["_id"]] = stream
    removed = 0
    ids = list(strangers)
    for at in range(0, len(ids), _BATCH):
        some = ids[at : at + _BATCH]
        # One that began after the rebuild passed its place has commits.
        loaded = await store.load({strangers[one]: 0 for one in some})
        gone = [one for one in some if not loaded[strangers[one]]]
        if gone:
            removed += (await live.delete_many({"_id": {"$in": gone}})).deleted_count
    return removed
