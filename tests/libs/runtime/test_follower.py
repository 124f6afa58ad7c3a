"""Followers: where they begin, what they hand on, and that they come back by themselves."""

import asyncio
import operator
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from prometheus_client import REGISTRY

from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.follower import Follower, Offsets
from libs.runtime.header_names import understand_header_names
from libs.runtime.kafka import Outgoing, Publisher
from libs.runtime.problems import Unavailable
from libs.runtime.streams import Record
from libs.runtime.topics import create_topics
from tests.support.between import Between
from tests.support.raw_records import RawRecord, put_raw

pytestmark = pytest.mark.servers

TOPIC = Topic.NOTIFICATION
AWAY_S = 30.0


@pytest.fixture(autouse=True)
def understood() -> None:
    understand_header_names()


@pytest.fixture
async def publisher(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Publisher]:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[TOPIC])
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        yield publisher


class Heard:
    """A follower, and the values that it was given."""

    def __init__(self, bootstrap: str, namespace: str, **options: Any) -> None:
        self.values: list[str] = []
        self.begins: list[int] = []  # the offsets' sums: the tests write to one partition
        self._moved = asyncio.Event()
        self.follower = Follower(
            "tests",
            (TOPIC,),
            self._take,
            bootstrap_servers=bootstrap,
            namespace=namespace,
            began=self._began,
            moved=self._moved.set,
            **options,
        )

    def _take(self, record: Record) -> None:
        self.values.append((record.value or b"").decode())

    def _began(self, offsets: Offsets) -> None:
        self.begins.append(sum(offsets.values()))

    async def until(self, reached: Callable[[], bool], timeout_seconds: float = 30) -> None:
        async with asyncio.timeout(timeout_seconds):
            while not reached():
                self._moved.clear()
                await self._moved.wait()

    @asynccontextmanager
    async def following(self) -> AsyncIterator["Heard"]:
        stop = asyncio.Event()
        task = asyncio.create_task(self.follower.run(stop))
        try:
            await self.until(lambda: bool(self.begins))
            yield self
        finally:
            stop.set()
            await task


async def put(publisher: Publisher, values: Iterable[str]) -> int:
    """The partition."""
    positions = await publisher.publish(
        [Outgoing(TOPIC, b"k", value.encode(), []) for value in values]
    )
    return positions[0].partition


@pytest.mark.parametrize(("before", "heard"), [(0, "de"), (2, "bcde"), (None, "abcde")])
async def test_a_follower_begins_where_it_is_told_and_hands_on_what_comes(
    kafka_bootstrap: str,
    kafka_namespace: str,
    publisher: Publisher,
    before: int | None,
    heard: str,
) -> None:
    await put(publisher, "abc")

    async with Heard(kafka_bootstrap, kafka_namespace, before=before).following() as one:
        await one.until(lambda: one.follower.is_caught_up)
        await one.follower.check()
        partition = await put(publisher, "de")
        await one.until(lambda: "e" in one.values)

        assert one.values == list(heard)
        at = TopicPartition(kafka_namespace + TOPIC, partition)
        assert one.follower.next_of(at) == len("abcde")


async def test_before_it_has_begun_it_is_not_ready(kafka_namespace: str) -> None:
    one = Heard("127.0.0.1:9", kafka_namespace)

    with pytest.raises(Unavailable):
        await one.follower.check()


async def test_what_is_gone_unread_is_told_and_it_goes_on_from_the_end(
    kafka_bootstrap: str, kafka_namespace: str, publisher: Publisher
) -> None:
    between = Between(kafka_bootstrap)
    await between.open()
    await put(publisher, "ab")
    async with Heard(between.address, kafka_namespace, before=1).following() as one:
        await one.until(lambda: one.values == ["b"])
        await between.close()
        partition = await put(publisher, "cd")
        await delete_before(
            kafka_bootstrap, TopicPartition(kafka_namespace + TOPIC, partition), len("abcd")
        )
        await between.open()
        await one.until(lambda: len(one.begins) > 1)
        await put(publisher, "e")
        await one.until(lambda: "e" in one.values)

    await between.close()
    assert (one.values, one.begins) == (["b", "e"], [1, 4])


async def test_a_record_that_cannot_be_taken_is_left_out_and_counted(
    kafka_bootstrap: str, kafka_namespace: str, publisher: Publisher
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("parley_not_followed_total", {"what": "tests"}) or 0

    before = counted()
    async with Heard(kafka_bootstrap, kafka_namespace).following() as one:
        records: list[RawRecord] = [
            (b"k", b"a", []),
            (b"k", b"\xff", []),
            (b"k", b"b", [(b"\xff", None)]),
        ]
        await put_raw(kafka_bootstrap, kafka_namespace + TOPIC, records)
        await put(publisher, "c")
        await one.until(lambda: "c" in one.values)

    assert one.values == ["a", "b", "c"]
    assert counted() == before + 1


@pytest.mark.crash
async def test_a_broker_that_was_away_for_long_is_followed_on_without_a_gap(
    kafka_bootstrap: str, kafka_namespace: str, publisher: Publisher
) -> None:
    between = Between(kafka_bootstrap)
    await between.open()
    kinds: list[dict[str, Any]] = [{}, {"before": 2}, {"before": None}, {"patience_seconds": 0.25}]
    heard = [Heard(between.address, kafka_namespace, **options) for options in kinds]
    stop = asyncio.Event()
    tasks = [asyncio.create_task(one.follower.run(stop)) for one in heard]
    for one in heard:
        await one.until(partial(bool, one.begins))
    await put(publisher, "a")
    for one in heard:
        await one.until(partial(operator.eq, one.values, ["a"]))

    await between.close()
    await put(publisher, "b")
    await asyncio.sleep(AWAY_S)  # the outage itself
    await put(publisher, "c")
    await between.open()

    for one in heard:
        await one.until(partial(operator.contains, one.values, "c"))
    assert not any(task.done() for task in tasks)
    stop.set()
    await asyncio.gather(*tasks)
    await between.close()
    assert [one.values for one in heard] == [["a", "b", "c"]] * len(kinds)
    assert [len(one.begins) for one in heard] == [1] * len(kinds)


async def delete_before(bootstrap: str, at: TopicPartition, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_records({at: RecordsToDelete(offset)})
    finally:
        await admin.close()
