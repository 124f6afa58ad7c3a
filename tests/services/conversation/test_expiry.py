"""What only helps, and may go at any time, goes after a while."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.mongo import Document
from services.conversation.app import ensure_indexes
from services.conversation.read_models.search.index import FORGOTTEN, SearchIndex
from services.conversation.read_models.time_travel.snapshots import HISTORICAL_SNAPSHOTS
from services.conversation.read_models.verified_streams import VERIFIED

pytestmark = pytest.mark.servers

DAY = timedelta(days=1).total_seconds()


@pytest.mark.parametrize(
    ("collection", "field", "days"),
    [
        (HISTORICAL_SNAPSHOTS, "kept_at", 180),
        (FORGOTTEN, "forgotten_at", 90),
        (VERIFIED, "asked_at", 30),
        ("conversation_drafts", "at", 90),
        ("conversation_answers", "at", 1),
        ("conversation_early_deletions", "noted_at", 0.25),
    ],
)
async def test_it_has_an_index_that_expires_it(
    database: AsyncDatabase[Document], collection: str, field: str, days: float
) -> None:
    await ensure_indexes(database)
    indexes = (await database[collection].index_information()).values()
    [expiry] = [one for one in indexes if "expireAfterSeconds" in one]
    assert (dict(expiry["key"]), expiry["expireAfterSeconds"]) == ({field: 1}, days * DAY)


async def test_a_tombstone_says_since_when_it_stands(database: AsyncDatabase[Document]) -> None:
    index, began = SearchIndex(database), datetime.now(UTC) - timedelta(seconds=1)
    await index.forget({"cnv_1": 5})
    await index.forget({"cnv_1": 3})
    [tombstone] = await database[FORGOTTEN].find().to_list()
    assert tombstone["v"] == 5
    assert began < tombstone["forgotten_at"].replace(tzinfo=UTC) <= datetime.now(UTC)
