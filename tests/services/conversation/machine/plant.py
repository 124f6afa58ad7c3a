"""The real servers, and the replicas that crash on them: what the state machine drives.

A replica is a whole engine with its own caches and its own producer. It is stopped at a step of its
outbox either for good (a crash: a new one takes its place, with nothing in memory) or for a while
(a pause: it goes on later, with all that it believed then).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.content import Channel
from libs.events.directory import AutoforwardState, SourceState
from libs.events.envelope import Envelope
from libs.events.ids import IdKey, random_id
from libs.events.registry import Body
from libs.events.topics import Topic
from libs.eventstore.outbox import Step
from libs.runtime.consumer import Received
from libs.runtime.directory import Directory
from libs.runtime.kafka import Outgoing, Position, Publisher
from libs.runtime.mongo import Document, mongo_client
from services.conversation.app import ensure_indexes
from services.conversation.engine import Engine, engine_of
from services.conversation.rows import COMMITS, INBOX, MESSAGES
from services.conversation.settings import ConversationSettings
from tests.services.conversation.world import DEPLOYMENT_KEY, World, world_of
from tests.support.kafka import envelope

type Record = ConsumerRecord[bytes, bytes]

_TOLD = (Topic.CONVERSATION, Topic.OUTBOUND)


class Crash(Exception):
    """The replica's end."""


@dataclass(frozen=True)
class Stop:
    """Where a replica ends, or pauses: after the ``nth`` time that it reached ``step``."""

    how: Literal["crash", "pause"]
    step: Step
    nth: int = 1


class Replica:
    """One process of the service: it does one thing at a time here, or is paused in it."""

    def __init__(self, plant: "Plant", publisher: Publisher) -> None:
        self._plant = plant
        self._publisher = publisher
        self._stop: Stop | None = None
        self._reached: dict[Step, int] = {}
        self._go_on = asyncio.Event()
        self._paused = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        self.engine = self._made()

    def restart(self) -> None:
        self.engine = self._made()

    @property
    def is_paused(self) -> bool:
        return self._task is not None

    async def do[T](self, work: Coroutine[Any, Any, T], stop: Stop | None) -> T | None:
        """What comes of the work; None where it was stopped in the middle."""
        self._stop, self._reached = stop, {}
        self._go_on.clear()
        self._paused.clear()
        task = asyncio.ensure_future(work)
        pausing = asyncio.ensure_future(self._paused.wait())
        await asyncio.wait({task, pausing}, return_when=asyncio.FIRST_COMPLETED)
        pausing.cancel()
        self._stop = None
        if not task.done():
            self._task = task
            return None
        return self._outcome(task)

    async def go_on(self) -> None:
        """To the end of what it was paused in; nobody waits for the answer any more."""
        if self._task is not None:
            self._go_on.set()
            await asyncio.wait({self._task})
            self._outcome(self._task)
            self._task = None

    def _outcome[T](self, task: "asyncio.Task[T]") -> T | None:
        if isinstance(task.exception(), Crash):
            self.restart()
            return None
        return task.result()

    def _made(self) -> Engine:
        plant = self._plant
        return engine_of(
            plant.settings,
            plant.database,
            self._publisher,
            plant.directory,
            self._on_step,
            mark_later=False,
        )

    async def _on_step(self, step: Step) -> None:
        self._reached[step] = self._reached.get(step, 0) + 1
        stop = self._stop
        if stop is None or stop.step is not step or stop.nth != self._reached[step]:
            return
        if stop.how == "crash":
            raise Crash
        self._paused.set()
        await self._go_on.wait()


class _Noting(Publisher):
    """Remembers how far each partition was written, so that a reader knows when it has all."""

    def __init__(self, plant: "Plant") -> None:
        super().__init__(plant.world.bootstrap, plant.world.namespace)
        self._plant = plant

    async def publish(self, messages: Sequence[Outgoing]) -> list[Position]:
        positions = await super().publish(messages)
        for message, position in zip(messages, positions, strict=True):
            partition = TopicPartition(
                self._plant.world.namespace + message.topic, position.partition
            )
            written = self._plant.written
            written[partition] = max(written[partition], position.offset)
        return positions


@dataclass
class Plant:
    """One for all examples. ``source_ids``: of a plain source, and of one with autoforward."""

    world: World
    settings: ConversationSettings
    database: AsyncDatabase[Document]
    directory: Directory
    source_ids: tuple[str, str]
    loop: asyncio.AbstractEventLoop
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    written: dict[TopicPartition, int] = field(default_factory=lambda: defaultdict(lambda: -1))
    replicas: list[Replica] = field(default_factory=list)
    id_key: IdKey = field(default_factory=lambda: IdKey(DEPLOYMENT_KEY))
    _told: dict[bytes, list[Record]] = field(default_factory=lambda: defaultdict(list))
    _reader: "AIOKafkaConsumer[bytes, bytes] | None" = None

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def conversation_id(self, thread: str, *, routed: bool) -> str:
        return self.id_key.conversation(self.source_ids[routed], thread)

    def received(self, body: Body, key: str) -> Received:
        """As a consumer gives it to its handler."""
        message: Envelope = envelope(body, key, self.world.workspace_id)
        value = message.encode()
        record: Record = ConsumerRecord(
            topic=message.topic.value,
            partition=0,
            offset=0,
            timestamp=0,
            timestamp_type=0,
            key=key.encode(),
            value=value,
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=len(value),
            headers=(),
        )
        return Received(message, record)

    async def told(self) -> dict[bytes, list[Record]]:
        """All that was published since it was asked last, by key, in order."""
        reader = self._reader
        assert reader is not None
        for partition in reader.assignment():
            while await reader.position(partition) <= self.written[partition]:
                for fetched in (await reader.getmany(timeout_ms=50)).values():
                    for record in fetched:
                        self._told[record.key or b""].append(record)
        told, self._told = self._told, defaultdict(list)
        return told

    async def forget(self) -> None:
        """What the last example left, so that the next finds a small database."""
        await asyncio.gather(
            *(self.database[name].delete_many({}) for name in (COMMITS, INBOX, MESSAGES))
        )


@asynccontextmanager
async def plant_of(settings: ConversationSettings) -> AsyncIterator[Plant]:
    async with AsyncExitStack() as held:
        world = await held.enter_async_context(world_of(settings))
        routed = random_id("src")
        await world.directory(
            SourceState(
                source_id=routed,
                channel=Channel.TELEGRAM,
                name="routed",
                location_id=world.location_id,
                account="43",
            ),
            AutoforwardState(
                autoforward_id=random_id("fwd"), source_ids=(routed,), group_id="grp_1"
            ),
        )
        directory = Directory(settings)
        stop = asyncio.Event()
        following = asyncio.create_task(directory.table.run(stop))
        await directory.table.wait_until(
            lambda: bool(directory.of(world.workspace_id).autoforwards), 30
        )
        stop.set()
        await following
        client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-tests")
        await held.enter_async_context(client)
        database = client[settings.mongodb_database]
        await ensure_indexes(database)
        plant = Plant(
            world,
            settings,
            database,
            directory,
            (world.source_id, routed),
            asyncio.get_running_loop(),
        )
        reader: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
            *(settings.kafka_namespace + topic.value for topic in _TOLD),
            bootstrap_servers=settings.kafka_bootstrap_servers,
            auto_offset_reset="latest",
            enable_auto_commit=False,
            fetch_max_wait_ms=20,
        )
        await reader.start()
        held.push_async_callback(reader.stop)
        for partition in reader.assignment():
            await reader.position(partition)
        plant._reader = reader
        for _ in range(2):
            publisher = await held.enter_async_context(_Noting(plant))
            plant.replicas.append(Replica(plant, publisher))
        yield plant
