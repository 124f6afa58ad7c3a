from datetime import UTC, datetime

import pytest
from pymongo import AsyncMongoClient

from benchmarks.archive import Archive, Desks
from libs.runtime.mongo import Document
from services.conversation.read_models.rebuild.rebuild import rebuild
from services.conversation.read_models.rebuild.registry import read_models

KEY = b"k" * 32
DESKS = Desks(
    workspace_id="wsp_1",
    source_ids=["src_1", "src_2"],
    location_ids=["loc_1"],
    member_ids=["mem_1", "mem_2"],
)


@pytest.mark.parametrize("name", read_models(KEY))
async def test_the_archive_writes_the_rows_that_a_rebuild_makes_of_its_commits(
    name: str, mongodb_url: str, mongodb_name: str
) -> None:
    async with AsyncMongoClient[Document](mongodb_url, tz_aware=True) as client:
        database = client[mongodb_name]
        events = await Archive(database, KEY, DESKS, datetime.now(UTC)).write_all(range(1, 8))

        rebuilt = await rebuild(database, KEY, read_models(KEY)[name]())

    assert (rebuilt.replaced, rebuilt.removed, rebuilt.left_out) == (0, 0, 0)
    assert rebuilt.events >= events
