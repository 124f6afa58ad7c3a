"""A store on the real server, with a database of its own for every test."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from libs.eventstore.datastore import MongoDatastore
from libs.eventstore.store import AsyncEventStore


@pytest.fixture
async def commits(
    mongodb_url: str, mongodb_name: str
) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url)
    async with client:
        yield client[mongodb_name]["stored_events"]


@pytest.fixture
async def store(commits: AsyncCollection[dict[str, Any]]) -> AsyncEventStore:
    store = AsyncEventStore(commits)
    await store.ensure_indexes()
    return store


@pytest.fixture
def datastore(mongodb_url: str, mongodb_name: str) -> Iterator[MongoDatastore]:
    datastore = MongoDatastore(mongodb_url, mongodb_name)
    yield datastore
    datastore.close()
