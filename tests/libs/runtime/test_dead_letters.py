"""Letters are taken out of the dead-letter topics; the others stay as they were."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError

from libs.events.topics import Topic
from libs.runtime.dead_letters import Letter, take_out
from libs.runtime.topics import create_topics
from tests.support.eventually import eventually
from tests.support.kafka import read_records

pytestmark = pytest.mark.servers

DEAD = Topic.INBOUND.dead_letter


async def bury(bootstrap: str, namespace: str, *letters: tuple[bytes, bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for key, value in letters:
            await producer.send_and_wait(
                namespace + DEAD, value, key, timestamp_ms=1_790_000_000_000, headers=[("why", key)]
            )
    finally:
        await producer.stop()


async def kept(bootstrap: str, namespace: str, number: int) -> list[Letter]:
    return await read_records(bootstrap, namespace + DEAD, lambda read: len(read) >= number)


def of_ada(letter: Letter) -> bool:
    return bool(letter.key == b"ada")


async def test_the_others_stay_in_order_with_their_times_and_headers(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace)
    letters = [(b"bob", b"1"), (b"ada", b"2"), (b"eve", b"3"), (b"ada", b"4"), (b"bob", b"5")]
    await bury(kafka_bootstrap, kafka_namespace, *letters)

    assert await take_out(kafka_bootstrap, kafka_namespace, of_ada) == 2

    await bury(kafka_bootstrap, kafka_namespace, (b"last", b"6"))
    left = await kept(kafka_bootstrap, kafka_namespace, 4)
    assert [(one.key, one.value) for one in left] == [
        (b"bob", b"1"),
        (b"eve", b"3"),
        (b"bob", b"5"),
        (b"last", b"6"),
    ]
    assert {one.timestamp for one in left} == {1_790_000_000_000}
    assert [dict(one.headers)["why"] for one in left] == [b"bob", b"eve", b"bob", b"last"]


async def test_where_there_is_nothing_to_take_out_nothing_is_written(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace)
    await bury(kafka_bootstrap, kafka_namespace, (b"bob", b"1"))

    assert await take_out(kafka_bootstrap, kafka_namespace, of_ada) == 0

    (left,) = await kept(kafka_bootstrap, kafka_namespace, 1)
    assert left.offset == 0


async def test_of_two_at_once_none_brings_back_what_the_other_took_out(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace)
    await bury(kafka_bootstrap, kafka_namespace, (b"ada", b"1"), (b"bob", b"2"), (b"eve", b"3"))

    await asyncio.gather(
        take_out(kafka_bootstrap, kafka_namespace, of_ada),
        take_out(kafka_bootstrap, kafka_namespace, lambda letter: letter.key == b"bob"),
        return_exceptions=True,
    )
    # whoever was refused does it again
    await take_out(kafka_bootstrap, kafka_namespace, of_ada)
    await take_out(kafka_bootstrap, kafka_namespace, lambda letter: letter.key == b"bob")

    await bury(kafka_bootstrap, kafka_namespace, (b"last", b"4"))
    left = await kept(kafka_bootstrap, kafka_namespace, 2)
    assert [one.key for one in left] == [b"eve", b"last"]


async def test_where_the_broker_refuses_what_stays_nothing_is_deleted(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace)
    large = b"2" * 5000
    await bury(kafka_bootstrap, kafka_namespace, (b"ada", b"1"), (b"bob", large), (b"eve", b"3"))
    # given a broker that would not take a letter any more that it has
    await limit(kafka_bootstrap, kafka_namespace + DEAD, 1000)

    async def refused() -> bool:
        try:
            await bury(kafka_bootstrap, kafka_namespace, (b"ada", large))
        except MessageSizeTooLargeError:
            return True
        return False

    await eventually(refused)

    with pytest.raises(MessageSizeTooLargeError):
        await take_out(kafka_bootstrap, kafka_namespace, of_ada)

    left = await kept(kafka_bootstrap, kafka_namespace, 3)
    assert [one.key for one in left[:3]] == [b"ada", b"bob", b"eve"]


async def limit(bootstrap: str, topic: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        limited = {"max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, limited)])
    finally:
        await admin.close()
