"""A consumer that cannot begin, or cannot go on, is made anew, and nothing is missed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.events.topics import Topic
from libs.runtime import broker as broker_module
from libs.runtime import follower as follower_module
from libs.runtime.reading import Reader
from libs.runtime.topics import create_topics
from tests.support.between import Between
from tests.support.eventually import eventually
from tests.support.runtime.consuming import Broker, Effects, running
from tests.support.runtime.tables import Groups, put

pytestmark = pytest.mark.servers


@pytest.fixture
async def away(kafka_bootstrap: str) -> AsyncIterator[Between]:
    """The way to the broker, closed."""
    between = Between(kafka_bootstrap)
    await between.open()
    await between.close()
    yield between
    await between.close()


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[Reader]:
    """The consumers that are made, as they are made."""
    made: list[Reader] = []

    class Kept(Reader):
        async def start(self) -> None:
            made.append(self)
            await super().start()

    monkeypatch.setattr(broker_module, "Reader", Kept)
    monkeypatch.setattr(follower_module, "Reader", Kept)
    return made


async def test_a_consumer_begins_once_its_broker_is_there(
    broker: Broker, away: Between, readers: list[Reader]
) -> None:
    effects = Effects()
    consumer = broker.consumer(effects, bootstrap=away.address)
    await broker.put("a", "b")
    async with running(consumer) as task:

        async def tried_again() -> bool:
            return len(readers) > 1

        await eventually(tried_again)
        assert not task.done()

        await away.open()
        await effects.wait(lambda seen: set(seen) == {"a", "b"})


@pytest.mark.parametrize("dies", ["_fetcher._fetch_task", "_client._sync_task"])
async def test_a_consumer_that_would_be_silent_for_ever_is_made_anew(
    broker: Broker, readers: list[Reader], dies: str
) -> None:
    effects = Effects()
    await broker.put("a", key="one")
    async with running(broker.consumer(effects)):
        await effects.wait(lambda seen: seen == ["a"])
        await killed(readers[-1], dies)
        await broker.put("b", key="one")

        await effects.wait(lambda seen: "b" in seen)

    assert list(dict.fromkeys(effects.seen)) == ["a", "b"]
    assert list((await broker.committed()).values()) == [2]


async def test_a_table_goes_on_where_it_was(
    broker: Broker, kafka_bootstrap: str, readers: list[Reader]
) -> None:
    await create_topics(kafka_bootstrap, broker.namespace, topics=[Topic.DIRECTORY])
    groups = Groups(kafka_bootstrap, broker.namespace)
    async with groups.following() as table:
        await table.wait_for(await put(broker.publisher, "g1", "One"), 30)
        await killed(readers[-1], "_fetcher._fetch_task")

        await table.wait_for(await put(broker.publisher, "g2", "Two"), 30)

    assert groups.applied == [("g1", "One"), ("g2", "Two")]


async def killed(reader: Reader, path: str) -> None:
    """As by an error that aiokafka did not expect."""
    part, _, task = path.partition(".")
    dying: asyncio.Task[None] = getattr(getattr(reader, part), task)
    dying.cancel()
    await asyncio.wait([dying])


async def test_a_consumer_stops_whose_fetching_took_no_notice_of_the_first_time(
    kafka_bootstrap: str,
) -> None:
    reader = Reader(bootstrap_servers=kafka_bootstrap, enable_auto_commit=False)
    await reader.start()
    fetching = reader._fetcher._fetch_task
    begun, times = asyncio.Event(), []

    async def takes_it_for_anothers() -> None:
        begun.set()
        # It ends with the cancellation, and lets none out.
        await fetching
        times.append(1)
        await asyncio.Event().wait()

    reader._fetcher._fetch_task = asyncio.create_task(takes_it_for_anothers())
    await begun.wait()
    async with asyncio.timeout(20):
        await reader.stop()
    assert times == [1]
