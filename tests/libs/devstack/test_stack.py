"""A stack keeps data, ports and promises over kills and restarts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import MongoClient

from libs.devstack import Devstack, Servers
from libs.devstack.folders import FolderInUse

pytestmark = pytest.mark.servers

_START_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def devstack(folder: Path) -> Iterator[Devstack]:
    with Devstack(folder) as devstack:
        yield devstack


async def _letters(bootstrap: str) -> list[bytes | None]:
    partition = TopicPartition("letters", 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]


async def test_a_killed_kafka_comes_back_at_its_port_with_what_it_acknowledged(
    devstack: Devstack,
) -> None:
    kafka, bootstrap = devstack.kafka, devstack.servers.kafka_bootstrap
    assert kafka is not None
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("letters", num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait("letters", b"kept")

    kafka.kill()
    kafka.start()
    kafka.wait_ready(_START_TIMEOUT_S)

    assert await _letters(bootstrap) == [b"kept"]


def test_a_killed_mongodb_comes_back_at_its_port_with_what_it_acknowledged(
    devstack: Devstack,
) -> None:
    mongodb = devstack.mongodb
    assert mongodb is not None
    with MongoClient[dict[str, object]](devstack.servers.mongodb_url) as client:
        client["desk"]["letters"].insert_one({"_id": 1})

    mongodb.kill()
    mongodb.start()
    mongodb.wait_ready(_START_TIMEOUT_S)

    with MongoClient[dict[str, object]](devstack.servers.mongodb_url) as client:
        assert client["desk"]["letters"].count_documents({}) == 1


def test_a_second_stack_over_the_folder_is_refused(devstack: Devstack, folder: Path) -> None:
    with pytest.raises(FolderInUse, match="running already"):
        Devstack(folder).start()
    assert all(process.alive for process in devstack.processes)


async def test_a_second_start_finds_data_and_ports(devstack: Devstack) -> None:
    before = devstack.servers
    devstack.stop()
    assert devstack.processes == ()
    assert devstack.start() == before
    assert await _letters(before.kafka_bootstrap) == [b"kept"]
    with MongoClient[dict[str, object]](before.mongodb_url) as client:
        assert client["desk"]["letters"].count_documents({}) == 1


def test_servers_given_by_address_are_used_and_not_started(tmp_path: Path) -> None:
    with Devstack(tmp_path, kafka_bootstrap="k:1", mongodb_url="mongodb://m:2") as devstack:
        assert devstack.processes == ()
        assert devstack.servers == Servers(
            "k:1", "mongodb://m:2", f"chdb://{tmp_path / 'clickhouse'}"
        )
