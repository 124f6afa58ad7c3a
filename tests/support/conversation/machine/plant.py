"""The real servers, and the replicas that crash on them: what the state machine drives.

A replica is a whole engine with its own caches. It is stopped at a step of its outbox either for
good (a crash: a new one takes its place, with nothing in memory) or for a while (a pause: it goes
on later, with all that it believed then).

Several machines work side by side, because one alone mostly waits for the servers: each on a plant
of its own, which is a database and two replicas. They share a loop, a broker and a directory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from threading import Thread
from typing import Any, Literal

from aiokafka import ConsumerRecord
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.content import Channel
from libs.events.directory import AutoforwardState, SourceState
from libs.events.envelope import Envelope, read_envelope
from libs.events.ids import IdKey, random_id
from libs.events.registry import Body
from libs.eventstore.errors import StopHere
from libs.eventstore.outbox import Step
from libs.runtime.consumer import Received
from libs.runtime.dead_letters import Letter
from libs.runtime.directory import Directory
from libs.runtime.mongo import Document, mongo_client
from services.conversation.app import ensure_indexes
from services.conversation.commands.case_numbers import COUNTERS
from services.conversation.consumers.search import SearchHandler
from services.conversation.dependencies import Dependencies, dependencies_of
from services.conversation.privacy.erasure.erasure_process import ErasureProcess
from services.conversation.privacy.erasure.erasures import Erasures
from services.conversation.privacy.keyring import WORKSPACE_KEYS
from services.conversation.read_models.customers.rows import CUSTOMERS
from services.conversation.read_models.inbox.rows import INBOX
from services.conversation.read_models.personal_data import ReadModelsPersonalData
from services.conversation.read_models.saved_filters import SAVED_FILTERS, SavedFilterStore
from services.conversation.read_models.search.cards import CardRows
from services.conversation.read_models.search.entries import Entries
from services.conversation.read_models.search.index import SearchIndex
from services.conversation.settings import ConversationSettings
from tests.support.conversation.machine.broker import Broker, Record, make_topics
from tests.support.conversation.world import DEPLOYMENT_KEY, World, world_of
from tests.support.kafka import envelope

# What the examples share: without the counter their cases would be numbered anew.
_KEPT = (COUNTERS, WORKSPACE_KEYS)


class Crash(StopHere):
    """The replica's end."""


@dataclass(frozen=True)
class Stop:
    """Where a replica ends, or pauses: after the ``nth`` time that it reached ``step``."""

    how: Literal["crash", "pause"]
    step: Step
    nth: int = 1


class Replica:
    """One process of the service: it does one thing at a time here, or is paused in it."""

    def __init__(self, plant: "Plant") -> None:
        self._plant = plant
        self._stop: Stop | None = None
        self._reached: dict[Step, int] = {}
        self._go_on = asyncio.Event()
        self._paused = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        self.restart()

    def restart(self) -> None:
        plant = self._plant
        self.engine: Dependencies = dependencies_of(
            plant.settings,
            plant.database,
            plant.broker,
            plant.directory,
            self._on_step,
            mark_later=False,
        )
        search = SearchIndex(plant.database)
        cards = CardRows(plant.database[CUSTOMERS], search, plant.entries)
        self.search = SearchHandler(search, plant.entries, plant.database[INBOX], cards)
        self.erasure = ErasureProcess(
            Erasures(plant.database, self.engine.keyring),
            self.engine.keyring,
            self.engine.store,
            self.engine.handler,
            self.engine.customer_handler,
            ReadModelsPersonalData(
                plant.database,
                search,
                cards,
                SavedFilterStore(plant.database[SAVED_FILTERS], plant.entries.tokens).forget,
            ),
            _no_letters,
            timedelta(0),
        )

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

    async def _on_step(self, step: Step) -> None:
        self._reached[step] = self._reached.get(step, 0) + 1
        stop = self._stop
        if stop is None or stop.step is not step or stop.nth != self._reached[step]:
            return
        if stop.how == "crash":
            raise Crash
        self._paused.set()
        await self._go_on.wait()


async def _no_letters(_: Callable[[Letter], bool]) -> int:
    """Nothing here becomes a dead letter."""
    return 0


@dataclass
class Plant:
    """For one example after the other. ``source_ids``: of a plain source, and of one with
    autoforward. ``gone``: words that nobody may find any longer."""

    name: str
    world: World
    settings: ConversationSettings
    database: AsyncDatabase[Document]
    directory: Directory
    source_ids: tuple[str, str]
    broker: Broker
    entries: Entries
    loop: asyncio.AbstractEventLoop
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    replicas: list[Replica] = field(default_factory=list)
    id_key: IdKey = field(default_factory=lambda: IdKey(DEPLOYMENT_KEY))
    gone: set[bytes] = field(default_factory=set)

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

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

    async def forget(self) -> None:
        """What the last examples left, so that the next finds a small database."""
        names = await self.database.list_collection_names()
        await asyncio.gather(
            *(self.database[name].delete_many({}) for name in names if name not in _KEPT)
        )
        self.gone.clear()


def read(record: Record) -> Received:
    """What was published, as a consumer gives it to its handler."""
    return Received(read_envelope(record.key, record.headers, record.value), record)


@asynccontextmanager
async def plants_of(settings: ConversationSettings, number: int) -> AsyncIterator[list[Plant]]:
    async with AsyncExitStack() as held:
        await make_topics(settings.kafka_bootstrap_servers, settings.kafka_namespace)
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
        broker = await held.enter_async_context(Broker(world.bootstrap, world.namespace))
        entries = Entries(DEPLOYMENT_KEY)
        plants = []
        for name in (f"plant{one}" for one in range(number)):
            database = client[f"{settings.mongodb_database}_{name}"]
            held.push_async_callback(client.drop_database, database)
            await ensure_indexes(database)
            plant = Plant(
                name,
                world,
                settings,
                database,
                directory,
                (world.source_id, routed),
                broker,
                entries,
                asyncio.get_running_loop(),
            )
            plant.replicas += [Replica(plant) for _ in range(2)]
            plants.append(plant)
        yield plants


@contextmanager
def plants_in_a_thread(settings: ConversationSettings, number: int) -> Iterator[list[Plant]]:
    """For each machine one; their loop runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="plants")
    thread.start()
    held = plants_of(settings, number)
    try:
        yield asyncio.run_coroutine_threadsafe(held.__aenter__(), loop).result()
    finally:
        leaving = held.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(leaving, loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
