"""What verifying and loading cost, beside the bare driver and the library's own recorders.

    python -m benchmarks.chain mongodb://127.0.0.1:27017

`verify_commits_per_s`: a store of 500 streams verified as `parley verify` does it; the bare driver
only reads and decodes the same documents. `load_10k_events_ms`: a conversation of 10,000 events
loaded with its row by the service's own repository, nothing cached; the bare driver asks the same
two questions and decodes nothing. The recorders' figures are in `recorders.py`.
"""

import uuid
from datetime import UTC, datetime
from typing import Final

from bson.codec_options import CodecOptions
from msgspec.structs import replace
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from benchmarks import past
from benchmarks.eventstore import BATCH, commit
from benchmarks.figures import Figures, run_alone
from benchmarks.load import shortest
from benchmarks.recorders import measure_beside_recorders
from libs.aggregates.repository import AggregateRepository
from libs.eventstore.codec import Document
from libs.eventstore.commits import GENESIS, Commit
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_all
from services.conversation.aggregates.conversations import Conversations
from services.conversation.domain.events import EVENTS
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.read_models.attachments import FILES
from services.conversation.read_models.customers.rows import CUSTOMERS
from services.conversation.read_models.inbox.counts import Counts
from services.conversation.read_models.inbox.rows import INBOX, inbox_row
from services.conversation.read_models.messages.rows import MESSAGES

_VERSIONS: Final = 20


async def measure_verifying(database: AsyncDatabase[Document], figures: Figures) -> None:
    """`verify_commits_per_s`, with what reading and decoding alone would reach."""
    collection = database["verified"]
    store = AsyncEventStore(collection)
    await store.ensure_indexes()
    heads: dict[str, bytes] = {}
    for version in range(1, _VERSIONS + 1):
        await store.append([_next(f"conversation-{n:08d}", version, heads) for n in range(BATCH)])
    decoding: AsyncCollection[Document] = collection.with_options(
        codec_options=CodecOptions(tz_aware=True, tzinfo=UTC)
    )

    async def ours() -> None:
        verified = await verify_all(store)
        assert (verified.commits, verified.findings) == (_VERSIONS * BATCH, [])

    async def bare() -> None:
        async with decoding.find().sort("_id") as cursor:
            while await cursor.to_list(200):
                pass

    ours_s, bare_s = await shortest(ours), await shortest(bare)
    commits = _VERSIONS * BATCH
    figures.beside("verify_commits_per_s", commits / ours_s, commits / bare_s)


def _next(stream: str, version: int, heads: dict[str, bytes]) -> Commit:
    made = replace(commit(stream, version), prev=heads.get(stream, GENESIS), hash=b"")
    heads[stream] = made.hash
    return made


async def measure_loading(database: AsyncDatabase[Document], figures: Figures) -> None:
    """`load_10k_events_ms`: what a decision on it waits for, when nothing is kept in memory."""
    store, historical_snapshots, snapshot = await past.written(database)
    inbox = database[INBOX]
    await inbox.insert_one(inbox_row(past.STREAM, snapshot))
    kind = Conversations(
        inbox,
        database[MESSAGES],
        database[CUSTOMERS],
        database[FILES],
        Counts(inbox).wrote,
        historical_snapshots,
    )
    epoch = datetime.fromtimestamp(0, UTC)
    pending = {
        "$and": [{"pending": True, "at": {"$gte": epoch}}, {"stream": {"$in": [past.STREAM]}}]
    }

    async def ours() -> None:
        loaded = await AggregateRepository(kind, EVENTS, store, 0).load_cached([past.STREAM])
        assert loaded[past.STREAM].snapshot == snapshot

    async def bare() -> None:
        assert await inbox.find({"_id": {"$in": [past.STREAM]}}).to_list()
        assert not await database[COMMITS].find(pending).to_list()

    ours_s, bare_s = await shortest(ours), await shortest(bare)
    figures.beside("load_10k_events_ms", ours_s * 1000, bare_s * 1000)


async def measure(url: str, figures: Figures) -> None:
    """All of them, in a database that is dropped in the end."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(url, tz_aware=True)
    async with client:
        database = client[f"benchmark_{uuid.uuid4().hex[:8]}"]
        try:
            await measure_verifying(database, figures)
            await measure_beside_recorders(database, figures)
            await measure_loading(database, figures)
        finally:
            await client.drop_database(database.name)


if __name__ == "__main__":
    run_alone(measure)
