"""The feed of the live sockets outlives its consumer: nothing missed, nothing shown twice."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from libs.events.topics import Topic
from libs.runtime import follower as module
from libs.runtime.directory import Directory
from libs.runtime.kafka import outgoing
from libs.runtime.reading import Reader
from libs.runtime.settings import load
from services.gateway.live.feed import TOPICS, Feed
from services.gateway.live.hub import Hub
from services.gateway.live.positions import Cursors, Positions
from services.gateway.settings import GatewaySettings
from tests.support.eventually import eventually
from tests.support.gateway.sockets import a_case, audience, live, publish, ready, received
from tests.support.gateway.suite import Suite, Team
from tests.support.kafka import envelope
from tests.support.raw_records import poisoned, put_raw

pytestmark = pytest.mark.servers


class Begun(Hub):
    """Counts how often its sockets would have to reload."""

    times = 0

    def begin(self, positions: Positions) -> None:
        self.times += 1
        super().begin(positions)


async def test_a_consumer_in_anothers_place_goes_on_where_that_was(
    suite: Suite, staff: tuple[Team, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Reader] = []

    class Kept(Reader):
        async def start(self) -> None:
            made.append(self)
            await super().start()

    monkeypatch.setattr(module, "Reader", Kept)
    settings = load(GatewaySettings, suite.environment)
    hub = Begun(Directory(settings), Cursors(bytes(32)))
    feed = Feed(
        hub,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        namespace=settings.kafka_namespace,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(feed.run(stop))
    case, everybody = a_case(staff[0]), audience(staff[0])

    async def is_read(subject: str, sequence: int) -> bool:
        return hub._sequences._last.get(subject) == sequence

    async def begun() -> bool:
        return hub.times > 0

    try:
        await eventually(begun)
        await publish(suite, staff[0], (received(case, everybody, everybody), 1))
        await eventually(lambda: is_read(case.conversation_id, 1))
        for part in (made[-1]._fetcher._fetch_task, made[-1]._client._sync_task):
            part.cancel()
        await publish(suite, staff[0], (received(case, everybody, everybody), 2))
        await eventually(lambda: is_read(case.conversation_id, 2))
    finally:
        stop.set()
        await running

    assert (len(made), hub.times) == (2, 1)


@pytest.mark.parametrize("topic", TOPICS)
async def test_what_nobody_can_read_is_counted_and_the_events_beside_it_are_shown(
    suite: Suite, staff: tuple[Team, object], topic: Topic
) -> None:
    def counted() -> float:
        labels = {"topic": topic.value, "group": "live"}
        return REGISTRY.get_sample_value("parley_dead_letters_total", labels) or 0

    team, everybody = staff[0], audience(staff[0])
    bad = outgoing(envelope(received(a_case(team), everybody, everybody), "bad", team.workspace_id))
    poison, before = poisoned(bad), counted()
    servers = suite.environment["PARLEY_KAFKA_BOOTSTRAP_SERVERS"]
    name = suite.environment["PARLEY_KAFKA_NAMESPACE"] + topic
    case = a_case(team)
    async with live(suite, team.owner) as socket:
        await ready(socket)
        for one in poison:
            await put_raw(servers, name, [one])
        await publish(suite, team, (received(case, everybody, everybody), 1))

        # Of poison that says its workspace and sequence, the sockets are told to reload.
        frame = await socket.next()
        while frame["type"] in ("reload", "ready"):
            frame = await socket.next()

    assert frame["type"] == "event"
    assert frame["conversation_id"] == case.conversation_id
    # Two replicas of the gateway are in this process, and both read it.
    assert counted() == before + 2 * len(poison)
