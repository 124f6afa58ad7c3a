"""Sources whose platform has to be asked: by one replica at a time, on from where Kafka has it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from libs.events.content import Channel, Content, Sender
from libs.events.inbound import InboundReceived
from libs.runtime.directory import Directory
from libs.runtime.kafka import Publisher
from libs.runtime.sealing import Sealer
from services.ingest.accept import Acceptor
from services.ingest.polling.poller import LEASE, Poller
from services.ingest.ports.platform import NotReached
from services.ingest.ports.polling import Polled
from services.ingest.sources import SEAL_PURPOSE, OpenSource, SourceBook
from tests.support.ingest.service import ANNA, DEPLOYMENT_KEY, IDS, SOURCE_ID, Ingest
from tests.support.kafka import read_events

pytestmark = pytest.mark.servers

Document = dict[str, Any]
Rows = AsyncCollection[Document]
Looking = Callable[[str | None], Awaitable[Polled]]


def message(number: int) -> InboundReceived:
    now = datetime.now(UTC)
    return InboundReceived(
        cause=f"cau_{number}",
        kind="message",
        direction="incoming",
        channel=Channel.TELEGRAM,
        source_id=SOURCE_ID,
        conversation_id=IDS.conversation(SOURCE_ID, str(ANNA)),
        thread=str(ANNA),
        customer_id=IDS.customer(SOURCE_ID, str(ANNA)),
        sender=Sender(external_id=str(ANNA)),
        message_id=f"msg_{number}",
        external_message_id=str(number),
        content=Content(text=f"number {number}"),
        occurred_at=now,
        received_at=now,
    )


class Asked:
    """A platform that answers as it is told, and remembers from where it was asked."""

    pause: ClassVar[timedelta] = timedelta(0)

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        self.asked: list[str | None] = []

    async def look(
        self, source: OpenSource[Any], position: str | None, received_at: datetime
    ) -> Polled:
        self.asked.append(position)
        return await self._looking(position)


class Replicas:
    """Pollers of one platform over one collection."""

    def __init__(self, sources: SourceBook, publisher: Publisher, rows: Rows) -> None:
        self.sources = sources
        self.publisher = publisher
        self.rows = rows
        self.seen: list[str] = []

    def of(self, platform: Asked) -> Poller:
        def saw(source_id: str, _: datetime) -> None:
            self.seen.append(source_id)

        return Poller(
            Channel.TELEGRAM, platform, self.sources, Acceptor(self.publisher), self.rows, saw
        )

    @property
    def source(self) -> OpenSource[Any]:
        return self.sources.get(SOURCE_ID)

    async def row(self) -> Document:
        found = await self.rows.find_one({"_id": SOURCE_ID})
        assert found is not None
        return found


@pytest.fixture
async def replicas(ingest: Ingest, publisher: Publisher) -> AsyncIterator[Replicas]:
    settings = ingest.settings()
    directory = Directory(settings)
    stop = asyncio.Event()
    following = asyncio.create_task(directory.table.run(stop))
    try:
        await directory.table.wait_for(0, 20)
        sources = SourceBook(directory, Sealer(DEPLOYMENT_KEY, SEAL_PURPOSE))
        url = ingest.environment["PARLEY_MONGODB_URL"]
        async with AsyncMongoClient[Document](url, tz_aware=True) as client:
            rows = client[settings.mongodb_database]["ingest_polls"]
            yield Replicas(sources, publisher, rows)
    finally:
        stop.set()
        await following


async def test_what_is_found_is_on_kafka_before_the_position_moves(
    ingest: Ingest, replicas: Replicas
) -> None:
    async def looking(position: str | None) -> Polled:
        number = int(position or 0) + 1
        return Polled(str(number), [message(number)])

    platform = Asked(looking)
    poller = replicas.of(platform)
    await poller.look(replicas.source)
    await poller.look(replicas.source)

    assert platform.asked == [None, "1"]
    assert (await replicas.row())["position"] == "2"
    events = await read_events(ingest.bootstrap, ingest.topic("parley.inbound"), 2)
    assert [event.id for event in events] == ["cau_1", "cau_2"]
    assert replicas.seen == [SOURCE_ID, SOURCE_ID]


async def test_of_two_replicas_one_looks(replicas: Replicas) -> None:
    begun, going_on = asyncio.Event(), asyncio.Event()

    async def looking(_: str | None) -> Polled:
        begun.set()
        await going_on.wait()
        return Polled("1")

    platform, other = Asked(looking), Asked(looking)
    first = asyncio.create_task(replicas.of(platform).look(replicas.source))
    await begun.wait()
    await replicas.of(other).look(replicas.source)
    assert (platform.asked, other.asked) == ([None], [])
    left = (await replicas.row())["due_at"] - datetime.now(UTC)
    assert LEASE - timedelta(minutes=1) < left <= LEASE
    going_on.set()
    await first


async def test_who_was_overtaken_does_not_move_the_position(replicas: Replicas) -> None:
    async def looking(_: str | None) -> Polled:
        # Another replica took the source over meanwhile, and looked on.
        later = {"position": "99", "due_at": datetime.now(UTC) + LEASE}
        await replicas.rows.update_one({"_id": SOURCE_ID}, {"$set": later})
        return Polled("1")

    await replicas.of(Asked(looking)).look(replicas.source)

    assert (await replicas.row())["position"] == "99"


async def test_a_platform_that_fails_is_asked_less_and_less_often(replicas: Replicas) -> None:
    async def looking(position: str | None) -> Polled:
        if position is None:
            return Polled("1")
        raise NotReached("away")

    poller = replicas.of(Asked(looking))
    await poller.look(replicas.source)
    pauses = []
    for _ in range(3):
        await replicas.rows.update_one({"_id": SOURCE_ID}, {"$set": {"due_at": None}})
        before = datetime.now(UTC)
        await poller.look(replicas.source)
        pauses.append(round(((await replicas.row())["due_at"] - before).total_seconds()))

    assert pauses == [5, 10, 20]
    assert (await replicas.row())["position"] == "1"


async def test_a_look_that_does_not_end_ends_with_the_process(
    replicas: Replicas,
) -> None:
    looked = asyncio.Event()

    async def looking(_: str | None) -> Polled:
        looked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    stop = asyncio.Event()
    running = asyncio.create_task(replicas.of(Asked(looking)).run(stop))
    async with asyncio.timeout(20):
        await looked.wait()
        stop.set()
        await running
