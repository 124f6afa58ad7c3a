"""A store on the real server, with a database of its own for every test."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.database import Database

from libs.eventstore.store import AsyncEventStore


@pytest.fixture
async def commits(
    mongodb_url: str, mongodb_name: str
) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url)
    async with client:
        yield client[mongodb_name]["commits"]
        await client.drop_database(mongodb_name)


@pytest.fixture
async def store(commits: AsyncCollection[dict[str, Any]]) -> AsyncEventStore:
    store = AsyncEventStore(commits)
    await store.ensure_indexes()
    return store


@pytest.fixture
def database(mongodb_url: str, mongodb_name: str) -> Iterator[Database[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        yield client[mongodb_name]
        client.drop_database(mongodb_name)
