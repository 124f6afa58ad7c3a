"""What nobody can read beside the heads keeps no stream from its anchor."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from libs.events.topics import Topic
from libs.eventstore.chain import Head
from libs.runtime.broker import ServiceBroker, publishing
from libs.runtime.header_names import understand_header_names
from libs.runtime.kafka import Outgoing, Publisher
from libs.runtime.storage import open_storage
from libs.runtime.topics import create_topics
from services.conversation.anchors.anchor import AnchorKey
from services.conversation.anchors.reading import Anchored, read_anchors
from services.conversation.anchors.storage import AnchorStorage
from services.conversation.anchors.writing import COMMIT_HEADER, AnchorWriter
from services.conversation.streams import ANCHORS, STREAMS
from tests.support.conversation.world import DEPLOYMENT_KEY
from tests.support.eventually import eventually
from tests.support.raw_records import RawRecord, put_raw, raw

pytestmark = pytest.mark.servers

KEY = AnchorKey(DEPLOYMENT_KEY)
HASH = bytes(range(32))


@pytest.fixture
async def publisher(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Publisher]:
    understand_header_names()
    topics = [Topic.CONVERSATION, Topic.CUSTOMER]
    await create_topics(kafka_bootstrap, kafka_namespace, topics=topics)
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        yield publisher


def of_commit(stream: str, version: int) -> Outgoing:
    headers = [
        ("ce_workspace", b"w"),
        (COMMIT_HEADER, f"{stream}:{version}:{HASH.hex()}".encode()),
    ]
    return Outgoing(Topic.CONVERSATION, b"k", b"{}", headers)


COMMIT = COMMIT_HEADER.encode()
LEFT_OUT: list[RawRecord] = [
    (b"k", b"{}", [(b"ce_workspace", b"w"), (COMMIT, b"\xff")]),
    (b"k", b"{}", [(b"ce_workspace", b"w"), (COMMIT, b"cnv_x:seven:00")]),
    (b"k", b"{}", [(b"ce_workspace", b"w"), (COMMIT, b"cnv_x:1:nothex")]),
    (b"k", b"{}", [(b"ce_workspace", b"\xff"), (COMMIT, b"cnv_x:1:00")]),
    (b"k", b"{}", [(COMMIT, b"cnv_x:1:00"), (b"\xff", b"w")]),
]
OF_NO_COMMIT: list[RawRecord] = [(b"\xff", b"\xff", []), (None, None, [(b"\xff\xfe", None)])]


async def test_what_tells_of_no_commit_is_counted_and_the_heads_around_it_are_anchored(
    kafka_bootstrap: str, kafka_namespace: str, publisher: Publisher, tmp_path: Path
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("parley_not_followed_total", {"what": "anchor"}) or 0

    storage, before = AnchorStorage(open_storage(tmp_path.as_uri(), {})), counted()
    [first] = await publisher.publish([of_commit("cnv_a", 1)])
    topic = kafka_namespace + Topic.CONVERSATION
    await put_raw(kafka_bootstrap, topic, [*LEFT_OUT, *OF_NO_COMMIT], first.partition)
    await put_raw(kafka_bootstrap, topic, [raw(of_commit("cnv_b", 2))], first.partition)
    stop = asyncio.Event()
    writer = AnchorWriter(storage, KEY, stop, interval_seconds=0.3)
    broker = ServiceBroker("tests", STREAMS, kafka=kafka_bootstrap, namespace=kafka_namespace)
    running = asyncio.create_task(broker.gathers(ANCHORS, writer.gather).run(stop))
    anchored = Anchored()

    async def all_there() -> bool:
        nonlocal anchored
        anchored = await read_anchors(storage, {KEY.public})
        return len(anchored.heads) >= 2

    await eventually(all_there)
    stop.set()
    await running

    assert anchored.findings == []
    assert anchored.heads == {"cnv_a": Head(1, HASH), "cnv_b": Head(2, HASH)}
    assert counted() == before + len(LEFT_OUT)
