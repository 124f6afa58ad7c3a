"""The whole suite where each service has an account of its own, as the Compose file gives it.

Kafka is configured as the Compose file says; MongoDB asks for accounts. Without any of a service's
rights it would not get ready, or the message would not come through.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from libs.devstack import Servers
from libs.devstack.folders import cache_folder
from libs.devstack.kafka import CONFIGURATION, kafka_process
from libs.devstack.mongodb import mongodb_process, mongodb_program, mongodb_url
from libs.devstack.ports import free_port
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.dead_letters import each_letter
from libs.runtime.kafka import Outgoing, PublishFailed
from libs.runtime.kafka_access import KafkaAccess
from libs.runtime.settings import SERVICES
from parley.accounts import HOLDERS, OPERATOR, ROOT
from parley.accounts.kafka import make_kafka_accounts
from parley.accounts.mongodb import make_mongodb_accounts
from parley.doubles.bot_api import BotApiDouble
from parley.migrate import migrate_all
from parley.stored import COLLECTIONS
from parley.suite import Suite
from tests.support.deploy.compose import model_with
from tests.support.e2e.team import Company, person
from tests.support.eventually import eventually

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

DATABASE = "parley"
ACCOUNTS = {
    server: {holder: secrets.token_hex(16) for holder in (*holders, ROOT)}
    for server, holders in HOLDERS.items()
}


@dataclass(frozen=True)
class Guarded:
    kafka: KafkaAccess
    mongodb_port: int

    def kafka_of(self, holder: str) -> KafkaAccess:
        return replace(self.kafka, username=holder, password=ACCOUNTS["kafka"][holder])

    def mongodb_of(self, holder: str) -> str:
        account = f"{holder}:{ACCOUNTS['mongodb'][holder]}"
        return mongodb_url(self.mongodb_port).replace("mongodb://", f"mongodb://{account}@") + (
            "&authSource=admin"
        )

    def settings_of(self, holder: str) -> dict[str, str]:
        settings = {
            "PARLEY_KAFKA_SECURITY_PROTOCOL": self.kafka.security_protocol,
            "PARLEY_KAFKA_USERNAME": holder,
            "PARLEY_KAFKA_PASSWORD": ACCOUNTS["kafka"][holder],
        }
        if holder in HOLDERS["mongodb"]:
            settings["PARLEY_MONGODB_URL"] = self.mongodb_of(holder)
        return settings


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    program = mongodb_program(folder / "mongodb", cache_folder())
    if program.kind == "mongod":
        pytest.skip("mongod asks a replica set for a file with its key; its servers are Compose's")
    services, local, controller, mongodb = (free_port() for _ in range(4))
    kafka = kafka_process(
        folder / "kafka",
        port=services,
        controller_port=controller,
        cache=cache_folder(),
        log_path=folder / "kafka.log",
        configuration=_as_in_compose(services, local, controller),
    )
    store = mongodb_process(
        folder / "mongodb",
        program,
        port=mongodb,
        log_path=folder / "mongodb.log",
        with_accounts=True,
    )
    kafka.start()
    store.start()
    try:
        kafka.wait_ready(90)
        store.wait_ready(90)
        asyncio.run(
            make_kafka_accounts(
                f"127.0.0.1:{local}",
                {name: ACCOUNTS["kafka"][name] for name in HOLDERS["kafka"]},
            )
        )
        for _ in range(2):  # as at each start
            asyncio.run(make_mongodb_accounts(mongodb_url(mongodb), DATABASE, ACCOUNTS["mongodb"]))
        yield Guarded(KafkaAccess(f"127.0.0.1:{services}", "SASL_PLAINTEXT"), mongodb)
    finally:
        kafka.stop()
        store.stop()


def _as_in_compose(services: int, local: int, controller: int) -> str:
    """The devstack's configuration, with who signs in as the Compose file has it."""
    environment = model_with({})["services"]["kafka"]["environment"]
    wanted = {
        _property(name): value
        for name, value in environment.items()
        if "LISTENER" in name or "AUTHORIZER" in name or "SUPER" in name or "QUORUM" in name
    }
    ports = {"kafka:9092": services, ":9092": services, ":9094": local, ":9093": controller}
    told = "".join(f"{name}={value}\n" for name, value in wanted.items())
    for port, ours in ports.items():
        told = told.replace(port, f"127.0.0.1:{ours}" if port == "kafka:9092" else f":{ours}")
    kept = [
        line for line in CONFIGURATION.splitlines() if line.partition("=")[0] not in wanted and line
    ]
    return "\n".join([*kept, told])


def _property(name: str) -> str:
    """As the image does."""
    dotted = name.removeprefix("KAFKA_").lower().replace("_", ".")
    return dotted.replace("...", "-").replace("..", "_")


async def test_a_message_comes_through_with_each_service_in_its_own_account(
    guarded: Guarded, tmp_path: Path
) -> None:
    servers = Servers(
        guarded.kafka.bootstrap_servers,
        mongodb_url(guarded.mongodb_port),
        f"chdb://{tmp_path / 'clickhouse'}",
    )
    async with BotApiDouble() as telegram, AsyncExitStack() as stack:
        suite = Suite(servers, tmp_path, settings={"PARLEY_INGEST_TELEGRAM_API_URL": telegram.url})
        await migrate_all(suite.settings | guarded.settings_of(OPERATOR))
        for service in SERVICES:
            environment = suite.processes[service]._environment
            assert environment is not None
            suite.processes[service]._environment = {**environment, **guarded.settings_of(service)}
        stack.callback(suite.stop)
        await asyncio.to_thread(suite.start)

        company = await Company.opened(suite, telegram, stack)
        await _a_case_from_its_message_to_the_figures(company, guarded.mongodb_of(OPERATOR))

    async with AsyncMongoClient[Any](guarded.mongodb_of(OPERATOR)) as client:
        made = set(await client[DATABASE].list_collection_names())
    assert made <= set(COLLECTIONS)


async def _a_case_from_its_message_to_the_figures(company: Company, mongodb: str) -> None:
    bot, _ = await company.connect_telegram()
    olena = person()
    await company.writes(bot, olena, "Do you deliver?")
    row = await company.case_of("Olena")
    path = f"/v1/conversations/{row['conversation_id']}"
    await company.owner.post(f"{path}/take")
    answer = await company.owner.post(f"{path}/messages", text="We do, every day")

    async def was_sent() -> bool:
        items = await company.timeline(row["conversation_id"])
        mine = [item for item in items if item["id"] == answer["item"]["id"]]
        return bool(mine) and mine[0]["delivery"]["state"] == "sent"

    await eventually(was_sent)
    await company.owner.post(f"{path}/close")

    async def counted() -> bool:
        return bool((await company.summary())["closed"]["value"] == 1)

    await eventually(counted)
    # Her forgetting looks through every dead letter, in a transaction.
    await company.owner.post(f"/v1/customers/{row['customer']['customer_id']}/erase")

    async def erased() -> bool:
        async with AsyncMongoClient[Any](mongodb) as client:
            found = await client[DATABASE]["conversation_erasures"].find_one({})
            return bool(found and found["stage"] == "erased")

    await eventually(erased)


async def test_nobody_reads_or_writes_what_is_anothers(guarded: Guarded) -> None:
    for holder in HOLDERS["mongodb"]:
        async with AsyncMongoClient[Any](guarded.mongodb_of(holder)) as client:
            for name, one in COLLECTIONS.items():
                if holder in (one.service, OPERATOR):
                    await client[DATABASE][name].find_one({"_id": "x"})
                    continue
                with pytest.raises(OperationFailure, match="not authorized"):
                    await client[DATABASE][name].find_one({"_id": "x"})
                with pytest.raises(OperationFailure, match="not authorized"):
                    await client[DATABASE][name].insert_one({"_id": "x"})
            if holder != OPERATOR:
                with pytest.raises(OperationFailure, match="not authorized"):
                    await client["another"]["collection"].find_one({})


async def test_a_password_of_yesterday_lets_nobody_in(guarded: Guarded) -> None:
    wrong = guarded.mongodb_of("ingest").replace(ACCOUNTS["mongodb"]["ingest"], "yesterday")
    async with AsyncMongoClient[Any](wrong) as client:
        with pytest.raises(OperationFailure, match="Authentication failed"):
            await client[DATABASE]["ingest_moves"].find_one({})
    async with AsyncMongoClient[Any](mongodb_url(guarded.mongodb_port)) as nobody:
        with pytest.raises(OperationFailure):
            await nobody[DATABASE]["ingest_moves"].find_one({})


async def test_a_topic_is_read_and_written_by_those_it_concerns(guarded: Guarded) -> None:
    """That the others' come through is told by the message above."""
    async with publishing(guarded.kafka_of("analytics"), "", timeout_seconds=5) as publisher:
        for topic in (Topic.CONVERSATION, Topic.DIRECTORY, Topic.OUTBOUND):
            with pytest.raises(PublishFailed, match="Authorization"):
                await publisher.publish([Outgoing(topic.value, b"key", b"value", [])])
    for holder, topic in (
        ("analytics", Topic.INBOUND),
        ("gateway", Topic.OUTBOUND),
        ("notify", Topic.COMMANDS),
    ):
        with pytest.raises(KafkaError):
            async for _ in each_letter(guarded.kafka_of(holder), topic.value):
                pass
