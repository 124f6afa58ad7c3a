"""Rebuilding a read model from the commits, while the service goes on.

The rows are first made in a collection beside the live one, from the commits alone, so that nothing
of the live rows is believed. Then the two are compared and made to agree: a rebuilt row takes the
place of a live one that is not newer, because a newer one was projected from commits that came
after the rebuild passed its stream; a live row whose stream has no commits is removed. It is read
and written by the service meanwhile.

Both are gone through in the order of their ids, as the bytes they are: nearly all are the same, and
what is the same byte for byte need not be decoded. Each page is read while the one before it is
dealt with, and rows are made in a thread beside the reading.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Final, Protocol

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, ReplaceOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from libs.eventstore.commits import Commit
from libs.eventstore.errors import CommitUnreadable
from libs.eventstore.store import AsyncEventStore
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows, insert_missing
from services.conversation.privacy.keyring import Keyring
from services.conversation.privacy.sealed_store import COMMITS, SealedStore

_BATCH: Final = 500
_KEYS_CACHED: Final = 5_000
_RAW: Final = CodecOptions(document_class=RawBSONDocument)


class ReadModel(Protocol):
    """What has to be known of a read model to build it again."""

    @property
    def collection(self) -> str: ...

    def reads(self, event: str) -> bool:
        """Whether rows are made of events stored under the name; the others stay sealed."""
        ...

    def rows_of(self, stream: Sequence[Commit]) -> list[Document]:
        """What the whole of one stream gives rise to; it is asked in a thread."""
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
    ``removed``: live rows without any commit; ``left_out``: streams with a commit that cannot be
    read, of which the live rows stay as they are."""

    commits: int
    events: int
    rows: int
    replaced: int
    removed: int
    left_out: int = 0


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
        made: list[Document] = []
        unreadable: list[CommitUnreadable] = []
        async for streams in _ahead(_streams(store.pages(model.reads, unreadable), unreadable)):
            commits += sum(map(len, streams))
            events += sum(stream[-1].last for stream in streams)
            made, _ = await asyncio.gather(
                asyncio.to_thread(_rows_of, model, streams), _add(beside, model, made)
            )
        await _add(beside, model, made)
        rows, replaced, removed = await _merge(beside, live, store, model)
        await model.finish(live)
        left = len({one.stream for one in unreadable})
        return Rebuilt(commits, events, rows, replaced, removed, left)
    finally:
        await beside.drop()


async def _ahead[T](items: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same, each fetched while the one before it is dealt with."""
    following = asyncio.create_task(_next(items))
    try:
        while (item := await following) is not None:
            following = asyncio.create_task(_next(items))
            yield item
    finally:
        following.cancel()


async def _next[T](items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)


async def _streams(
    pages: AsyncIterator[list[Commit]], unreadable: Sequence[CommitUnreadable]
) -> AsyncIterator[list[list[Commit]]]:
    """The commits of whole streams; a stream is as long as its commits were without a gap. One of
    which anything cannot be read is left out: what stands live of it stays."""
    stream: list[Commit] = []
    async for page in pages:
        whole = []
        for commit in page:
            if stream and commit.stream != stream[0].stream:
                whole.append(stream)
                stream = []
            if commit.first == (stream[-1].last if stream else 0) + 1:
                stream.append(commit)
        bad = {one.stream for one in unreadable}
        yield [one for one in whole if one[0].stream not in bad]
    if stream and stream[0].stream not in {one.stream for one in unreadable}:
        yield [stream]


def _rows_of(model: ReadModel, streams: Sequence[Sequence[Commit]]) -> list[Document]:
    rows: list[Document] = []
    for stream in streams:
        with left_out("rebuild", stream[0].stream):
            # Written down once here: what no document can hold would stop all the others.
            made = model.rows_of(stream)
            for row in made:
                bson.encode(row)
            rows += made
    return rows


async def _add(beside: Rows, model: ReadModel, rows: Sequence[Document]) -> None:
    # One part of a row is mostly all there is of it, and an insert costs a tenth of an update.
    there = await insert_missing(beside, rows)
    updates = [part for row in there if (part := model.part(row)) is not None]
    if updates:
        await beside.bulk_write(updates, ordered=False)


async def _merge(
    beside: Rows, live: Rows, store: SealedStore, model: ReadModel
) -> tuple[int, int, int]:
    """How many rows were rebuilt, how many live ones replaced, how many removed."""
    rows = replaced = removed = 0
    after: Document = {}
    async for page in _ahead(_pages(beside, {})):
        rows += len(page)
        last = _decoded(live, page[-1])["_id"]
        rebuilt = set(page)
        differing: list[Document] = []
        async for present in _pages(live, {"_id": {**after, "$lte": last}}):
            differing += [_decoded(live, one) for one in present if one not in rebuilt]
            rebuilt.difference_update(present)
        wanted = [_decoded(live, one) for one in page if one in rebuilt]
        there = {row["_id"]: row for row in differing}
        replaced += await _replace(wanted, there, live, model)
        known = {row["_id"] for row in wanted}
        strangers = [row for row in differing if row["_id"] not in known]
        removed += await _remove(strangers, live, store, model.stream_of)
        after = {"$gt": last}
    async for present in _pages(live, {"_id": after} if after else {}):
        strangers = [_decoded(live, one) for one in present]
        removed += await _remove(strangers, live, store, model.stream_of)
    return rows, replaced, removed


async def _pages(rows: Rows, condition: Document) -> AsyncIterator[list[bytes]]:
    """Encoded documents, in the order of their ids."""
    raw = rows.with_options(codec_options=_RAW)
    async with raw.find(condition, batch_size=_BATCH).sort("_id", ASCENDING) as cursor:
        while page := await cursor.to_list(_BATCH):
            yield [bytes(one.raw) for one in page]


def _decoded(rows: Rows, encoded: bytes) -> Document:
    return bson.decode(encoded, rows.codec_options)


async def _replace(
    batch: Sequence[Document], there: Mapping[str, Document], live: Rows, model: ReadModel
) -> int:
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


async def _remove(
    strangers: Sequence[Document],
    live: Rows,
    store: SealedStore,
    stream_of: Callable[[Document], str | None],
) -> int:
    """Those without commits; one that began after the rebuild passed its place has some."""
    streams = {row["_id"]: stream for row in strangers if (stream := stream_of(row)) is not None}
    removed = 0
    for some in batched(streams, _BATCH):
        there = await store.existing({streams[one] for one in some})
        gone = [one for one in some if streams[one] not in there]
        if gone:
            removed += (await live.delete_many({"_id": {"$in": gone}})).deleted_count
    return removed
