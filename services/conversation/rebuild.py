"""Rebuilding the read models from the commits, while the service goes on.

The rows are first made in collections beside the live ones, from the commits alone, so that
nothing of the live rows is believed. Then they are merged: a rebuilt row takes the place of a live
one that is not newer, because a newer one was projected from commits that came after the rebuild
passed its stream; a live row whose stream has no commits is removed. Lists are served meanwhile.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo import ReplaceOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from libs.eventstore.commits import Commit
from libs.eventstore.store import AsyncEventStore
from libs.runtime.mongo import Document
from services.conversation.customers.kind import of_customer
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.events import name_of
from services.conversation.domain.sent_message import DeliveryChanged
from services.conversation.keyring import Keyring
from services.conversation.loading import replay
from services.conversation.rows import (
    COMMITS,
    INBOX,
    MESSAGE_PARTS,
    MESSAGES,
    Rows,
    delivery_row,
    find_rows,
    inbox_row,
    insert_missing,
    parts_of,
)
from services.conversation.sealed_store import SealedStore

type Merged = Callable[[Document, Document], Document]

_BATCH: Final = 500
_KEYS_CACHED: Final = 5_000
_DELIVERY: Final = name_of(DeliveryChanged)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``replaced``: live rows that were missing or differed from what their commits say;
    ``removed``: live rows without any commit."""

    commits: int
    conversations: int
    messages: int
    replaced: int
    removed: int


async def rebuild_inbox(database: AsyncDatabase[Document], deployment_key: bytes) -> Rebuilt:
    """Rebuild the inbox's and the messages' rows. One at a time: the collections beside the live
    ones have fixed names, so that what a stopped rebuild left is dropped by the next."""
    keyring = Keyring(database, deployment_key, _KEYS_CACHED)
    store = SealedStore(AsyncEventStore(database[COMMITS]), keyring)
    inbox, messages = database[INBOX], database[MESSAGES]
    beside = _Beside(database[f"{INBOX}_rebuilt"], database[f"{MESSAGES}_rebuilt"])
    await beside.drop()
    try:
        seen = 0
        async for stream in _streams(store):
            seen += len(stream)
            await beside.add(stream)
        await beside.flush()
        replaced = await _merge(beside.inbox, inbox, _newer_row)
        replaced += await _merge(beside.messages, messages, _newer_parts)
        removed = await _remove_strangers(beside.inbox, inbox, store)
        return Rebuilt(
            commits=seen,
            conversations=await beside.inbox.count_documents({}),
            messages=await beside.messages.count_documents({}),
            replaced=replaced,
            removed=removed,
        )
    finally:
        await beside.drop()


class _Beside:
    """The rows as they are made, in collections of their own."""

    def __init__(self, inbox: Rows, messages: Rows) -> None:
        self.inbox = inbox
        self.messages = messages
        self._rows: list[Document] = []
        self._deliveries: list[Document] = []
        self._parts: list[Document] = []

    async def add(self, stream: Sequence[Commit]) -> None:
        if of_customer(stream[0]):
            return
        snapshot: Snapshot[Any] | None = replay(None, stream)
        if snapshot is None:
            return
        name = stream[0].stream
        if stream[0].events[0].type == _DELIVERY:
            self._deliveries.append(delivery_row(name, snapshot))
        else:
            self._rows.append(inbox_row(name, snapshot))
            self._parts += parts_of(stream)
        if len(self._rows) + len(self._deliveries) + len(self._parts) >= _BATCH:
            await self.flush()

    async def flush(self) -> None:
        if self._rows:
            await self.inbox.insert_many(self._rows, ordered=False)
        # A message may have been edited and delivered: its row has all its parts.
        parts = [
            UpdateOne({"_id": part["_id"]}, {"$set": _without_id(part)}, upsert=True)
            for part in (*self._deliveries, *self._parts)
        ]
        if parts:
            await self.messages.bulk_write(parts, ordered=False)
        self._rows, self._deliveries, self._parts = [], [], []

    async def drop(self) -> None:
        await self.inbox.drop()
        await self.messages.drop()


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


async def _merge(rebuilt: Rows, live: Rows, merged: Merged) -> int:
    replaced = 0
    batch: list[Document] = []
    async for row in rebuilt.find():
        batch.append(row)
        if len(batch) >= _BATCH:
            replaced += await _merge_batch(batch, live, merged)
            batch = []
    return replaced + (await _merge_batch(batch, live, merged) if batch else 0)


async def _merge_batch(batch: Sequence[Document], live: Rows, merged: Merged) -> int:
    there = {row["_id"]: row for row in await find_rows(live, [row["_id"] for row in batch])}
    missing = [row for row in batch if row["_id"] not in there]
    refused = await insert_missing(live, missing)
    operations = []
    for row in batch:
        present = there.get(row["_id"])
        if present is None:
            continue
        wanted = merged(present, row)
        if wanted != present:
            # Only over the row that was compared: one written meanwhile is newer.
            operations.append(ReplaceOne(_versions(present), wanted))
    replaced = len(missing) - len(refused)
    if operations:
        replaced += (await live.bulk_write(operations, ordered=False)).matched_count
    return replaced


async def _remove_strangers(rebuilt: Rows, live: Rows, store: SealedStore) -> int:
    removed = 0
    known = {row["_id"] async for row in rebuilt.find({}, {"_id": 1})}
    strangers = [row["_id"] async for row in live.find({}, {"_id": 1}) if row["_id"] not in known]
    for at in range(0, len(strangers), _BATCH):
        # One that began after the rebuild passed its place has commits.
        loaded = await store.load(dict.fromkeys(strangers[at : at + _BATCH], 0))
        gone = [stream for stream, commits in loaded.items() if not commits]
        if gone:
            removed += (await live.delete_many({"_id": {"$in": gone}})).deleted_count
    return removed


def _versions(row: Document) -> Document:
    versions = {"_id": row["_id"]}
    if "v" in row:
        versions["v"] = row["v"]
    for part in ("delivery", *MESSAGE_PARTS):
        if part in row:
            versions[f"{part}.v"] = row[part]["v"]
    return versions


def _newer_row(live: Document, rebuilt: Document) -> Document:
    return live if live["v"] > rebuilt["v"] else rebuilt


def _newer_parts(live: Document, rebuilt: Document) -> Document:
    merged = dict(rebuilt)
    besides = (("delivery", ("external",)), *((part, ()) for part in MESSAGE_PARTS))
    for part, beside in besides:
        if live.get(part, {}).get("v", 0) > rebuilt.get(part, {}).get("v", 0):
            merged |= {name: live[name] for name in (part, *beside)}
    return merged


def _without_id(row: Document) -> Document:
    return {name: value for name, value in row.items() if name != "_id"}
