"""The fixtures' servers do what Parley asks of them."""

import clickhouse_connect
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError

pytestmark = pytest.mark.servers


async def test_kafka_keeps_what_it_acknowledged(kafka_bootstrap: str, kafka_namespace: str) -> None:
    topic = kafka_namespace + "letters"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    await admin.close()

    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, acks="all", enable_idempotence=True
    )
    async with producer:
        await producer.send_and_wait(topic, b"hello", partition=1, headers=[("ce_id", b"1")])

    consumer = AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(topic, 1)])
        message = await consumer.getone()
    assert message.value == b"hello"
    assert message.headers == (("ce_id", b"1"),)


def test_mongodb_refuses_a_second_cause_by_a_unique_multikey_index(
    mongodb_url: str, mongodb_name: str
) -> None:
    with MongoClient[dict[str, object]](mongodb_url) as client:
        commits = client[mongodb_name]["commits"]
        commits.create_index([("stream", 1), ("causes", 1)], unique=True)
        commits.insert_one({"stream": "a", "causes": ["1", "2"]})
        with pytest.raises(DuplicateKeyError):
            commits.insert_one({"stream": "a", "causes": ["2", "3"]})


def test_clickhouse_answers_from_the_database_of_the_test(
    clickhouse_dsn: str, clickhouse_database: str
) -> None:
    client = clickhouse_connect.get_client(dsn=clickhouse_dsn, database=clickhouse_database)
    client.command("CREATE TABLE facts (n Int32) ENGINE = MergeTree ORDER BY n")
    client.insert("facts", [[1], [2]], column_names=["n"])
    assert client.query("SELECT sum(n), currentDatabase() FROM facts").result_rows == [
        (3, clickhouse_database)
    ]
    client.close()
