"""The bare drivers beside the suite: the same sizes, the same concurrency, nothing decided.

Each limit runs in the process that also lays the load on, while the suite stands idle.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import bson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from pymongo import DESCENDING, AsyncMongoClient, ReplaceOne

from benchmarks.load import Measured, by_workers
from libs.devstack.stack import Servers
from libs.events.topics import Topic, topic_specs

TOPIC: Final = "benchmark.bare"
# Where the suite keeps its data when nothing else is said, and what is measured beside it.
DATABASE: Final = "parley"
BARE_DATABASE: Final = "benchmark_bare"
BATCH: Final = 500
PAGE: Final = 30
_RECORDS: Final = 2000
_NEWEST: Final = [("at", DESCENDING)]

Document = dict[str, Any]
Record = tuple[bytes, bytes, list[tuple[str, bytes]]]


async def inbound_records(servers: Servers) -> list[Record]:
    """Messages that ingest wrote for its webhooks: key, body, headers."""
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=servers.kafka_bootstrap, enable_auto_commit=False
    )
    await consumer.start()
    try:
        count = next(s.partitions for s in topic_specs() if s.name == Topic.INBOUND)
        partitions = [TopicPartition(Topic.INBOUND.value, number) for number in range(count)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        there = sum((await consumer.end_offsets(partitions)).values())
        records: list[Record] = []
        while len(records) < min(_RECORDS, there):
            for fetched in (await consumer.getmany(timeout_ms=1000)).values():
                records += [(one.key, one.value, list(one.headers)) for one in fetched]
        return records
    finally:
        await consumer.stop()


@asynccontextmanager
async def _producer(servers: Servers) -> AsyncIterator[AIOKafkaProducer]:
    """As the services have it, over a topic with as many partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka_bootstrap)
    await admin.start()
    try:
        partitions = next(s.partitions for s in topic_specs() if s.name == Topic.INBOUND)
        answer = await admin.create_topics([NewTopic(TOPIC, partitions, 1)])
        for _name, code, *message in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise for_code(code)(*message)
    finally:
        await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=servers.kafka_bootstrap, acks="all", enable_idempotence=True
    )
    async with producer:
        yield producer


async def produce(servers: Servers, records: Sequence[Record], n: int, seconds: float) -> Measured:
    """``n`` at once, each waiting for its acknowledgement."""
    async with _producer(servers) as producer:

        async def send(record: Record) -> None:
            key, value, headers = record
            await producer.send_and_wait(TOPIC, value, key, headers=headers)

        return await by_workers([send] * n, itertools.cycle(records), seconds=seconds)


async def insert_many(servers: Servers, count: int) -> float:
    """Documents a second: as large as the commits of messages, 500 at once, no index but the id."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(servers.mongodb_url)
    async with client:
        commits = await client[DATABASE]["conversation_commits"].find(limit=BATCH).to_list()
        collection = client[BARE_DATABASE]["commits"]

        async def insert(batch: Sequence[Document]) -> None:
            await collection.insert_many(batch, ordered=False)

        batches = [
            [{**commit, "_id": bson.ObjectId()} for commit in commits]
            for _ in range(max(1, count // BATCH))
        ]
        measured = await by_workers([insert], batches)
        return len(batches) * len(commits) / measured.seconds


async def find_page(servers: Servers, n: int, seconds: float) -> Measured:
    """The newest 30 rows of New by the index, in a range that holds no more, ``n`` at once."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(servers.mongodb_url)
    async with client:
        rows = client[DATABASE]["conversation_inbox"]
        order = [("active_at", DESCENDING)]
        workspace = (await rows.find().to_list(1))[0]["workspace"]
        condition: Document = {"workspace": workspace, "keys": "new"}
        newest = await rows.find(condition, sort=order, limit=PAGE).to_list()
        condition["active_at"] = {"$gte": newest[-1]["active_at"]}

        async def find(_: int) -> None:
            found = await rows.find(condition, sort=order, limit=PAGE).to_list()
            assert len(found) == PAGE

        return await by_workers([find] * n, itertools.count(), seconds=seconds)


async def find_words(servers: Servers, n: int, seconds: float) -> Measured:
    """The newest 60 rows of a word by the index, in a range that holds no more, and then the rows
    of their conversations; ``n`` at once, each time another word."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(servers.mongodb_url)
    async with client:
        found, rows = (
            client[DATABASE]["conversation_search"],
            client[DATABASE]["conversation_inbox"],
        )
        some = await found.find({"t.4": {"$exists": True}}, limit=BATCH).to_list()
        words = [(one["t"][number], one["at"]) for number in range(4) for one in some]

        async def look(word: tuple[int, datetime]) -> None:
            token, at = word
            condition = {"t": token, "at": {"$gte": at}}
            newest = await found.find(condition, {"c": 1}, sort=_NEWEST, limit=2 * PAGE).to_list()
            streams = list({one["c"] for one in newest})[:PAGE]
            assert await rows.find({"_id": {"$in": streams}}).to_list()

        return await by_workers([look] * n, itertools.cycle(words), seconds=seconds)


async def read_commits(servers: Servers) -> float:
    """Seconds for all of them, in the order of their ids, without their public messages."""
    client: AsyncMongoClient[Document] = AsyncMongoClient(servers.mongodb_url)
    async with client:
        began = time.perf_counter()
        commits = client[DATABASE]["conversation_commits"].find({}, {"public": 0}, batch_size=BATCH)
        async with commits.sort("_id") as cursor:
            while await cursor.to_list(BATCH):
                pass
        return time.perf_counter() - began


async def commands(servers: Servers, records: Sequence[Record], cycles: int, n: int) -> Measured:
    """Three times a cycle what a command cannot do without, ``n`` cycles at once.

    A row is read, a commit inserted, the row replaced, an event acknowledged by Kafka. The row and
    the commit are as large as the suite's.
    """
    client: AsyncMongoClient[Document] = AsyncMongoClient(servers.mongodb_url)
    async with client, _producer(servers) as producer:
        ours, bare = client[DATABASE], client[BARE_DATABASE]
        (commit,) = await ours["conversation_commits"].find().to_list(1)
        (row,) = await ours["conversation_inbox"].find().to_list(1)
        await bare["rows"].insert_many([{**row, "_id": at} for at in range(cycles)])

        async def cycle(at: int) -> None:
            for _ in range(3):
                found = await bare["rows"].find_one({"_id": at})
                assert found is not None
                await bare["commands"].insert_one({**commit, "_id": bson.ObjectId()})
                await bare["rows"].replace_one({"_id": at}, found)
                key, value, headers = records[at % len(records)]
                await producer.send_and_wait(TOPIC, value, key, headers=headers)

        return await by_workers([cycle] * n, range(cycles))


async def messages(servers: Servers, count: int, conversations: int) -> float:
    """Seconds for the writes of so many messages over so many conversations, 500 at once.

    A batch is inserted as commits, its rows are inserted or replaced, its events acknowledged by
    Kafka; commits, rows and events are as large as the suite's. Nothing is read or decided.
    """
    client: AsyncMongoClient[Document] = AsyncMongoClient(servers.mongodb_url)
    async with client, _producer(servers) as producer:
        ours, bare = client[DATABASE], client[BARE_DATABASE]
        commits = await ours["conversation_commits"].find(limit=BATCH).to_list()
        rows = await ours["conversation_inbox"].find(limit=BATCH).to_list()
        records = await inbound_records(servers)
        began = time.perf_counter()
        for first in range(0, count, BATCH):
            batch = range(first, min(first + BATCH, count))
            await bare["message_commits"].insert_many(
                [{**commits[at % len(commits)], "_id": bson.ObjectId()} for at in batch],
                ordered=False,
            )
            those = {at % conversations: rows[at % len(rows)] for at in batch}
            if first + BATCH <= conversations:
                await bare["message_rows"].insert_many(
                    [{**row, "_id": at} for at, row in those.items()], ordered=False
                )
            else:
                await bare["message_rows"].bulk_write(
                    [ReplaceOne({"_id": at}, {**row, "_id": at}) for at, row in those.items()],
                    ordered=False,
                )
            waiting = [
                await producer.send(TOPIC, value, key, headers=headers)
                for key, value, headers in (records[at % len(records)] for at in batch)
            ]
            await asyncio.gather(*waiting)
        return time.perf_counter() - began
