"""How long a conversation of 10,000 events takes to be told as it stood at an instant of its past.

    python -m benchmarks.past mongodb://127.0.0.1:27017

It is asked of the service's own history. Each event is a commit of its own, sealed and with its
public message, as the service writes them; the states that its read models keep on the way are
there. The instants are spread over all of it. The bare driver reads as many commits by their ids.
"""

import itertools
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from benchmarks.figures import Figures, percentile, run_alone
from libs.aggregates.aggregate import Snapshot
from libs.events.content import Channel, Content, Sender
from libs.eventstore.codec import id_range, to_document
from libs.eventstore.commits import Commit
from libs.eventstore.store import AsyncEventStore
from libs.runtime.mongo import Document
from services.conversation.app import ensure_indexes
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.conversation.written import Place, Written
from services.conversation.privacy.keyring import Keyring, Wanted
from services.conversation.privacy.sealed_payload import Owner
from services.conversation.privacy.sealed_store import COMMITS, Key, SealedStore
from services.conversation.publishing.conversations import conversation_messages, stored_events
from services.conversation.read_models.messages.rows import MESSAGES
from services.conversation.read_models.time_travel.history import History
from services.conversation.read_models.time_travel.snapshots import EVERY, HistoricalSnapshots

EVENTS: Final = 10_000
STREAM: Final = "cnv_long"
_PAGE: Final = 1_000
_ASKED: Final = 200
_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_APART: Final = timedelta(minutes=1)
_PLACE: Final = Place(
    workspace_id="wsp_1",
    source_id="src_1",
    channel=Channel.TELEGRAM,
    location_id="loc_1",
    routed=False,
    next_number=itertools.count(1).__next__,
)


async def measure(url: str, figures: Figures) -> None:
    """``as_of_10k_events_ms``: the 99th percentile; and the median."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(url, tz_aware=True)
    async with client:
        database = client[f"benchmark_{uuid.uuid4().hex[:8]}"]
        try:
            store, historical_snapshots, _ = await written(database)
            history = History(store, historical_snapshots, database[MESSAGES])
            took = [await _asked(history, number) for number in range(_ASKED)]
            bare = [await _bare(database, number) for number in range(_ASKED)]
        finally:
            await client.drop_database(database.name)
    figures.beside("as_of_10k_events_ms", percentile(took, 99) * 1e3, percentile(bare, 99) * 1e3)
    figures.put("as_of_10k_events_median_ms", percentile(took, 50) * 1e3)


async def written(
    database: AsyncDatabase[Document],
) -> tuple[SealedStore, HistoricalSnapshots, Snapshot[ConversationState]]:
    """The conversation is there, published, without its row."""
    await ensure_indexes(database)
    keyring = Keyring(database, b"k" * 32, 100)
    store = SealedStore(AsyncEventStore(database[COMMITS]), keyring)
    historical_snapshots = HistoricalSnapshots(database, keyring)
    key = (await store.keys([Wanted(Owner("cus_1", 1), "wsp_1", begins=True)]))["cus_1"]
    snapshot, commit = _next(store, None, 0, key)  # opens the case too
    documents = [to_document(commit)]
    for number in range(1, EVENTS - 1):
        snapshot, commit = _next(store, snapshot, number, key)
        documents.append(to_document(commit))
        await historical_snapshots.keep_passed({STREAM: snapshot}, [commit])
    for first in range(0, EVENTS, _PAGE):
        await database[COMMITS].insert_many(documents[first : first + _PAGE])
    return store, historical_snapshots, snapshot


def _next(
    store: SealedStore, snapshot: Snapshot[ConversationState] | None, number: int, key: Key
) -> tuple[Snapshot[ConversationState], Commit]:
    at = _BEGAN + number * _APART
    conversation = Conversation(STREAM, snapshot, at)
    conversation.receive(
        Written(
            message_id=f"msg_{number}",
            external_message_id=str(number),
            customer_id="cus_1",
            sender=Sender(external_id="1", name="A customer"),
            content=Content(text=f"message {number}, about as long as people write on a telephone"),
            occurred_at=at,
            received_at=at,
            thread="1",
        ),
        _PLACE,
    )
    first = conversation.loaded_version + 1
    public = conversation_messages(conversation, [{}] * len(conversation.changes))
    commit = Commit(
        stream=STREAM,
        first=first,
        causes=(str(number),),
        recorded_at=at,
        events=store.sealed_events(STREAM, first, stored_events(conversation), key),
        public=store.sealed_messages(public, key),
        pending=False,
    )
    return conversation.snapshot(), commit


async def _asked(history: History, number: int) -> float:
    instant = _BEGAN + (EVENTS - 2) * number // _ASKED * _APART
    began = time.perf_counter()
    snapshot = await history.at(STREAM, instant)
    took = time.perf_counter() - began
    assert snapshot is not None
    assert snapshot.recorded_at == instant
    return took


async def _bare(database: AsyncDatabase[Document], number: int) -> float:
    """As many commits as stand on average between a kept state and the instant."""
    first = EVENTS * number // _ASKED
    began = time.perf_counter()
    await database[COMMITS].find({"_id": id_range(STREAM, first, first + EVERY // 2)}).to_list()
    return time.perf_counter() - began


if __name__ == "__main__":
    run_alone(measure)
