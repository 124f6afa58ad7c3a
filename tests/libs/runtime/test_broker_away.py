"""A broker that is away, however it went: nothing that a consumer applies and publishes is lost."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from starlette.types import ASGIApp

from libs.devstack import Devstack, ManagedProcess
from libs.events.topics import Topic
from libs.runtime.broker import ServiceBroker, broker_of, publishing
from libs.runtime.consumer import Received, Refused
from libs.runtime.directory import Directory
from libs.runtime.http import service_app
from libs.runtime.kafka import Outgoing, Publisher, PublishFailed
from libs.runtime.process import Runtime, ServiceSpec, running
from libs.runtime.settings import Settings, load
from libs.runtime.streams import Publication, Streams, Subscription
from libs.runtime.topics import create_topics
from tests.support.between import Between
from tests.support.eventually import eventually
from tests.support.kafka import read_records
from tests.support.runtime.consuming import TOPIC, causes, command
from tests.support.runtime.consuming import running as running_consumer
from tests.support.runtime.own_kafka import READY_S, ended, killed
from tests.support.trust import SERVICE_KEYS

pytestmark = pytest.mark.servers

AWAY_S = [float(s) for s in os.environ.get("PARLEY_TEST_KAFKA_AWAY_S", "3").split(",")]
STREAMS_OF_KEYS = 6
PASSED_ON = Topic.NOTIFICATION
READS = Subscription(group="passing-on", topics=(TOPIC,), description="What is put.")
STREAMS = Streams(
    subscriptions=(READS,),
    publications=(Publication(topic=PASSED_ON, description="What was read."),),
)


async def put_until(publisher: Publisher, key: str, stop: asyncio.Event) -> list[str]:
    """What was acknowledged, in order: each is repeated until it is."""
    acknowledged: list[str] = []
    while not stop.is_set():
        cause = f"{key}-{len(acknowledged)}"
        with suppress(PublishFailed):
            await publisher.publish([command(cause, key)])
            acknowledged.append(cause)
        await asyncio.sleep(0.02)
    return acknowledged


async def passed_on(bootstrap: str, topic: str, wanted: set[str]) -> list[str]:
    """The first appearances of what a consumer has published, once all that is wanted is there."""

    def values(records: Sequence[object]) -> list[str]:
        return [one.value.decode() for one in records]  # type: ignore[attr-defined]

    records = await read_records(
        bootstrap, topic, lambda found: wanted <= set(values(found)), timeout_seconds=READY_S
    )
    return list(dict.fromkeys(values(records)))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("away_s", AWAY_S)
@pytest.mark.parametrize("goes", [ended, killed])
async def test_what_a_consumer_passes_on_is_whole_and_in_order_after_the_broker_was_away(
    own_kafka: Devstack,
    own_broker: ManagedProcess,
    kafka_namespace: str,
    goes: Callable[[ManagedProcess, float], Awaitable[None]],
    away_s: float,
) -> None:
    bootstrap = own_kafka.servers.kafka_bootstrap
    await create_topics(bootstrap, kafka_namespace, topics=[TOPIC, PASSED_ON])
    stop, applied = asyncio.Event(), 0
    async with (
        ServiceBroker(
            "tests",
            STREAMS,
            kafka=bootstrap,
            namespace=kafka_namespace,
            request_timeout_seconds=2,
        ) as broker,
        publishing(bootstrap, kafka_namespace, 1, request_timeout_seconds=2) as outside,
    ):
        publisher = broker.publishes(timeout_seconds=1)

        async def pass_on(batch: Sequence[Received]) -> Sequence[Refused]:
            nonlocal applied
            await publisher.publish(
                [
                    Outgoing(PASSED_ON, one.record.key, cause.encode(), [])
                    for one, cause in zip(batch, causes(batch), strict=True)
                ]
            )
            applied += len(batch)
            return []

        def more(than: int) -> bool:
            return applied > than + STREAMS_OF_KEYS

        consumer = broker.subscribes(READS, pass_on, publisher)
        async with running_consumer(consumer) as consuming, asyncio.TaskGroup() as tasks:
            putting = [
                tasks.create_task(put_until(outside, f"k{number}", stop))
                for number in range(STREAMS_OF_KEYS)
            ]
            await eventually(lambda: more(0), within_seconds=READY_S)
            await goes(own_broker, away_s)
            before = applied
            await eventually(lambda: more(before), within_seconds=READY_S)
            stop.set()
            put = [await one for one in putting]
            told = await passed_on(
                bootstrap, kafka_namespace + PASSED_ON, {one for some in put for one in some}
            )
            assert not consuming.done()

    for acknowledged in put:
        key = acknowledged[0].partition("-")[0]
        whole = [one for one in told if one.startswith(f"{key}-")]
        assert whole[: len(acknowledged)] == acknowledged


@pytest.fixture
async def away(kafka_bootstrap: str) -> AsyncIterator[Between]:
    """The way to the broker, closed."""
    between = Between(kafka_bootstrap)
    await between.open()
    await between.close()
    yield between
    await between.close()


async def test_a_service_that_starts_before_kafka_waits_for_it_and_says_so(
    kafka_bootstrap: str, kafka_namespace: str, away: Between
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[TOPIC, Topic.DIRECTORY])
    settings = load(
        Settings,
        {
            "PARLEY_KAFKA_BOOTSTRAP_SERVERS": away.address,
            "PARLEY_KAFKA_NAMESPACE": kafka_namespace,
            "PARLEY_DEPLOYMENT_KEY": bytes(32).hex(),
            **SERVICE_KEYS,
        },
    )

    @asynccontextmanager
    async def compose(settings: Settings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
        broker = await runtime.enter(broker_of("tests", STREAMS, settings))
        publisher = broker.publishes()

        async def apply(_batch: Sequence[Received]) -> Sequence[Refused]:
            return []

        directory = Directory(settings)
        runtime.run("directory", directory.table.run)
        runtime.consume("reading", broker.subscribes(READS, apply, publisher))
        runtime.ready_when("kafka", publisher.check)
        yield service_app(runtime, "a service of the tests")

    spec = ServiceSpec("tests", Settings, compose, streams=STREAMS)
    async with running(spec, settings) as (url, failure), aiohttp.ClientSession(url) as http:

        async def readiness() -> tuple[int, str]:
            async with http.get("/readyz") as answer:
                return answer.status, await answer.text()

        status, told = await readiness()
        assert status == 503
        assert "no broker of Kafka has answered yet" in told

        await away.open()

        async def is_ready() -> bool:
            return (await readiness())[0] == 200

        await eventually(is_ready, within_seconds=60)
        assert not failure.done()
