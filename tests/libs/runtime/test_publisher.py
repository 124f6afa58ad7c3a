"""Publishing: acknowledged in order, or refused within the time that was given."""

import asyncio
import gc
import socket
import time
from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import KafkaError

from libs.events.commands import RouteCase
from libs.events.envelope import read_envelope
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.kafka import Outgoing, Publisher, PublishFailed, Unpublishable, outgoing
from libs.runtime.metrics import PRODUCERS_MADE_ANEW
from libs.runtime.outbox import kafka_message, public_message
from libs.runtime.topics import create_topics
from tests.support.between import Between
from tests.support.kafka import envelope, read_records

pytestmark = pytest.mark.servers

MESSAGE = Outgoing(Topic.COMMANDS, b"k", b"v", [])


async def test_positions_come_in_the_order_given(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.DIRECTORY])
    messages = [Outgoing(Topic.DIRECTORY, b"k%d" % n, b"v%d" % n, []) for n in range(50)]

    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        positions = await publisher.publish(messages)
        await publisher.check()
        assert await publisher.publish([]) == []

    assert [one.offset for one in positions] == list(range(50))
    records = await read_records(
        kafka_bootstrap, kafka_namespace + Topic.DIRECTORY, lambda found: len(found) == 50
    )
    assert [record.value for record in records] == [message.value for message in messages]


async def test_a_message_that_is_too_large_is_refused(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.COMMANDS])
    large = Outgoing(Topic.COMMANDS, b"k", b"x" * 1_100_000, [])

    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        for _ in range(2):
            await publisher.publish([MESSAGE])
            with pytest.raises(Unpublishable):
                await publisher.publish([large])
        assert await publisher.publish([MESSAGE])
        await publisher.check()


async def test_what_is_too_large_to_be_sent_at_all_gives_up_nothing_else(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.COMMANDS])
    large = Outgoing(Topic.COMMANDS, b"k", b"x" * 3_000_000, [])
    made_anew = PRODUCERS_MADE_ANEW._value.get()

    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        await publisher.publish([MESSAGE])
        with pytest.raises(Unpublishable):
            await publisher.publish([MESSAGE, large])
        assert await publisher.publish([MESSAGE])

    assert PRODUCERS_MADE_ANEW._value.get() == made_anew


async def test_where_nobody_listens_it_does_not_start() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(KafkaError):
            async with publishing(address, ""):
                pass


async def test_a_commits_message_is_on_kafka_what_its_event_is(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.COMMANDS])
    event = envelope(RouteCase(cause="c", conversation_id="v", case_id="x"), "v", "wsp_1", 3)
    message = public_message(event)

    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        await publisher.publish([kafka_message(message), outgoing(event)])
    records = await read_records(
        kafka_bootstrap, kafka_namespace + Topic.COMMANDS, lambda found: len(found) == 2
    )

    assert [read_envelope(r.key, r.headers, r.value) for r in records] == [event, event]
    assert dict(records[0].headers) == dict(records[1].headers)


def test_a_tombstone_has_headers_and_no_value() -> None:
    event = envelope(RouteCase(cause="c", conversation_id="v", case_id="x"), "v", "wsp_1", 3)

    gone = kafka_message(public_message(event, tombstone=True))

    assert gone.value is None
    assert dict(gone.headers) == dict(event.headers())


@pytest.fixture
async def between(kafka_bootstrap: str) -> AsyncIterator[Between]:
    between = Between(kafka_bootstrap)
    await between.open()
    yield between
    await between.close()


async def test_the_wait_for_a_broker_that_falls_silent_is_bounded(
    kafka_bootstrap: str, kafka_namespace: str, between: Between
) -> None:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.COMMANDS])
    async with publishing(between.address, kafka_namespace, timeout_seconds=1) as publisher:
        await _until_published(publisher, MESSAGE)

        between.silent = True
        started = time.monotonic()
        with pytest.raises(PublishFailed):
            await publisher.publish([MESSAGE] * 3)
        with pytest.raises(TimeoutError):
            await publisher.check()
        waited = time.monotonic() - started
        between.silent = False
        await between.close()
        await between.open()

    assert 1 <= waited < 5


async def test_a_broker_that_comes_back_is_used_again(
    kafka_bootstrap: str, kafka_namespace: str, between: Between
) -> None:
    """What was refused may be there all the same, before what came later, each of it once."""
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complaints.append(context["message"]))
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.DIRECTORY])
    try:
        async with publishing(between.address, kafka_namespace, timeout_seconds=1) as publisher:
            await _until_published(publisher, _numbered(0))
            await between.close()
            started = time.monotonic()
            with pytest.raises(PublishFailed):
                await publisher.publish([_numbered(1), _numbered(2)])
            assert time.monotonic() - started < 3

            await between.open()
            await _until_published(publisher, _numbered(3))
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    records = await read_records(
        kafka_bootstrap,
        kafka_namespace + Topic.DIRECTORY,
        lambda found: bool(found) and found[-1].value == b"3",
    )

    values = [record.value for record in records]
    assert list(dict.fromkeys(values)) in ([b"0", b"3"], [b"0", b"1", b"2", b"3"])
    assert complaints == []


def _numbered(number: int) -> Outgoing:
    return Outgoing(Topic.DIRECTORY, b"k", b"%d" % number, [])


async def _until_published(publisher: Publisher, message: Outgoing) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await publisher.publish([message])
            except PublishFailed:
                continue
            return
