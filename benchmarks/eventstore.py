"""What the event store costs per commit, beside the bare driver with the same documents.

    python -m benchmarks.eventstore mongodb://127.0.0.1:27017

Batches of 500 one-event commits to 500 streams, about 930 bytes a document, one after the other on
one connection; the best of the rounds, in microseconds a commit. The bare driver inserts, finds
and updates prepared documents by the same queries, and decodes nothing.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import bson
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from libs.eventstore.codec import commit_id, to_document
from libs.eventstore.commits import Commit, PublicMessage, StoredEvent
from libs.eventstore.outbox import Outbox
from libs.eventstore.store import AsyncEventStore

BATCH = 500
ROUNDS = 40


def batch(round_: int, version: int = 1) -> list[Commit]:
    """One commit for each of 500 streams; the streams of a round are its own."""
    return [commit(f"conversation-{round_:04d}-{n:08d}", version) for n in range(BATCH)]


def commit(stream: str, version: int) -> Commit:
    now = datetime.now(UTC)
    message = PublicMessage(
        topic="parley.conversation",
        type="conversation.message-received.v1",
        id=f"{stream}-{version}",
        key=stream,
        subject=stream,
        sequence=version,
        time=now,
        headers={"ce_workspace": "workspace-1"},
        data=b"p" * 150,
    )
    event = StoredEvent("conversation.message-received.v1", b"e" * 200)
    return Commit(stream, version, (uuid.uuid4().hex,), now, (event,), (message,))


async def measure(url: str) -> dict[str, float]:
    """The shortest of the rounds, in microseconds a commit."""
    name = f"benchmark_{uuid.uuid4().hex[:8]}"
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url)
    async with client:
        ours, bare, whole = (client[name][part] for part in ("ours", "bare", "whole"))
        store, outbox_store = AsyncEventStore(ours), AsyncEventStore(whole)
        for each in (store, AsyncEventStore(bare), outbox_store):
            await each.ensure_indexes()
        outbox = Outbox(outbox_store, lambda _: asyncio.sleep(0), lambda _: asyncio.sleep(0))
        figures: dict[str, float] = {}
        for round_ in range(ROUNDS):
            commits = batch(round_)
            for work, took in (await one_round(store, bare, outbox, commits)).items():
                figures[work] = min(took / BATCH * 1e6, figures.get(work, float("inf")))
        await client.drop_database(name)
    return {"document_bytes": len(bson.encode(to_document(commits[0])))} | figures


async def one_round(
    store: AsyncEventStore,
    bare: AsyncCollection[dict[str, Any]],
    outbox: Outbox,
    commits: Sequence[Commit],
) -> dict[str, float]:
    """Each work once, the bare driver's next to the store's; seconds."""
    documents = [to_document(c) for c in commits]
    streams = [c.stream for c in commits]
    ids = [commit_id(c.stream, c.first) for c in commits]
    of_streams = {"stream": {"$in": streams}}
    unset = {"$unset": {"pending": ""}}
    works: dict[str, Callable[[], Awaitable[object]]] = {
        "bare_append_us": lambda: bare.insert_many(documents, ordered=False),
        "append_us": lambda: store.append(commits),
        "bare_load_us": lambda: bare.find(of_streams, batch_size=BATCH).to_list(),
        "load_us": lambda: store.load(dict.fromkeys(streams, 0)),
        "load_nothing_newer_us": lambda: store.load(dict.fromkeys(streams, 1)),
        "bare_mark_us": lambda: bare.update_many({"_id": {"$in": ids}}, unset),
        "mark_us": lambda: store.mark_published(commits),
        "outbox_us": lambda: outbox.commit(commits, pending_before=()),
    }
    took = {}
    for name, work in works.items():
        started = time.perf_counter()
        await work()
        took[name] = time.perf_counter() - started
    return took


def main() -> None:
    for name, figure in asyncio.run(measure(sys.argv[1])).items():
        print(f"{name:24}{figure:8.0f}")


if __name__ == "__main__":
    main()
