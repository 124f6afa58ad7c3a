"""Order and completeness of what is published, with stops at each step, on the real server."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from libs.eventstore.commits import Appended
from libs.eventstore.errors import CauseRepeated, VersionConflict
from libs.eventstore.outbox import Outbox, Step
from libs.eventstore.store import AsyncEventStore
from tests.support.eventstore.builders import commit_of
from tests.support.eventstore.replicas import BrokerRefused, ProcessStopped, Replica, Topic
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

EVERY_STEP = [Step.APPENDED, Step.PROJECTED, Step.PUBLISHED, Step.MARKED]


async def test_a_commit_goes_through_the_four_steps(store: AsyncEventStore) -> None:
    topic = Topic()
    replica = Replica(store, topic)
    a, b = commit_of("a", events=2), commit_of("b")

    assert await replica.outbox.commit([a, b], pending_before=()) == [Appended(a), Appended(b)]

    assert replica.steps == EVERY_STEP
    assert replica.projected == [("a", 2), ("b", 1)]
    assert topic.arrived == [*a.public, *b.public]
    assert await store.count_pending() == 0


async def test_the_refused_are_neither_projected_nor_published(store: AsyncEventStore) -> None:
    topic = Topic()
    replica = Replica(store, topic)
    await store.append([commit_of("a"), commit_of("b")])
    await store.mark_published(["a:0000000001", "b:0000000001"])

    outcomes = await replica.outbox.commit(
        [commit_of("a", causes=("x",)), commit_of("b", 2, causes=("cause-of-1",)), commit_of("c")]
    )

    assert [type(outcome) for outcome in outcomes] == [VersionConflict, CauseRepeated, Appended]
    assert topic.first_appearances() == {"c": [1]}


@pytest.mark.parametrize("stop_at", EVERY_STEP)
async def test_what_a_dead_process_left_is_swept_up(store: AsyncEventStore, stop_at: Step) -> None:
    topic = Topic()
    dying, sweeping = Replica(store, topic, stop_at=stop_at), Replica(store, topic)
    with pytest.raises(ProcessStopped):
        await dying.outbox.commit([commit_of("a", events=2), commit_of("b")], pending_before=())

    left = await sweeping.outbox.sweep()

    assert left == (0 if stop_at is Step.MARKED else 2)
    assert topic.first_appearances() == {"a": [1, 2], "b": [1]}
    assert {*dying.projected, *sweeping.projected} == {("a", 2), ("b", 1)}
    assert await store.count_pending() == 0


@pytest.mark.parametrize("stop_at", EVERY_STEP)
@pytest.mark.parametrize("loads", [True, False])
async def test_the_next_commit_repeats_what_a_dead_process_left(
    store: AsyncEventStore, stop_at: Step, *, loads: bool
) -> None:
    topic = Topic()
    for _ in range(2):
        with pytest.raises(ProcessStopped):
            await Replica(store, topic, stop_at=stop_at).note("a")
    living = Replica(store, topic)

    if loads:
        await living.note("a")
    else:
        await living.outbox.commit([commit_of("a", 3)])

    assert topic.first_appearances() == {"a": [1, 2, 3]}
    assert living.projected[-1] == ("a", 3)
    assert await store.count_pending() == 0


async def test_what_was_not_acknowledged_is_repeated_before_the_next(
    store: AsyncEventStore,
) -> None:
    topic = Topic()
    replica = Replica(store, topic)
    topic.refuse = 2
    for _ in range(2):
        with pytest.raises(BrokerRefused):
            await replica.note("a")

    await replica.note("a")

    assert topic.first_appearances() == {"a": [1, 2, 3]}
    assert await store.count_pending() == 0


async def test_a_commit_waits_for_the_one_before_to_be_acknowledged(
    store: AsyncEventStore,
) -> None:
    topic = Topic()
    replica = Replica(store, topic)
    topic.gate.clear()
    first = asyncio.create_task(replica.note("a"))
    await reached(store, 1)
    second = asyncio.create_task(replica.note("a"))
    await reached(store, 2)

    assert topic.arrived == []
    topic.gate.set()
    await asyncio.gather(first, second)

    assert [m.sequence for m in topic.arrived] == [1, 2], "nothing was sent twice either"


async def test_a_commit_behind_a_failed_one_repeats_it_even_when_not_told(
    store: AsyncEventStore,
) -> None:
    topic = Topic()
    replica = Replica(store, topic)
    topic.gate.clear()
    topic.refuse = 1
    first = asyncio.create_task(replica.note("a"))
    await reached(store, 1)
    second = asyncio.create_task(replica.outbox.commit([commit_of("a", 2)], pending_before=()))
    await reached(store, 2)
    topic.gate.set()

    with pytest.raises(BrokerRefused):
        await first
    await second

    assert [m.sequence for m in topic.arrived] == [1, 2]
    assert await store.count_pending() == 0


async def test_another_stream_does_not_wait(store: AsyncEventStore) -> None:
    held, free = Topic(), Topic()
    held.gate.clear()

    topics = {"a": held, "b": free}
    outbox = Outbox(
        store,
        project=lambda _: asyncio.sleep(0),
        publish=lambda messages: topics[messages[0].subject].publish(messages),
    )
    waiting = asyncio.create_task(outbox.commit([commit_of("a")]))
    await reached(store, 1)

    await outbox.commit([commit_of("b")])

    assert free.first_appearances() == {"b": [1]}
    held.gate.set()
    await waiting


async def test_a_faster_replica_publishes_what_a_slower_one_holds(store: AsyncEventStore) -> None:
    topic, stalled = Topic(), Topic()
    stalled.arrived = topic.arrived
    stalled.gate.clear()
    slow, fast = Replica(store, stalled), Replica(store, topic)
    first = asyncio.create_task(slow.note("a"))
    await reached(store, 1)

    await fast.note("a")
    stalled.gate.set()
    await first

    assert [m.sequence for m in topic.arrived] == [1, 2, 1]
    assert topic.first_appearances() == {"a": [1, 2]}


async def test_the_sweeper_leaves_what_is_young_or_at_work_here(store: AsyncEventStore) -> None:
    topic = Topic()
    replica = Replica(store, topic, settle=timedelta(minutes=1))
    now = datetime.now(UTC)
    await store.append([commit_of("young", at=now)])
    topic.gate.clear()
    at_work = asyncio.create_task(replica.note("a"))
    await reached(store, 2)

    assert await replica.outbox.sweep() == 0

    topic.gate.set()
    await at_work
    assert topic.first_appearances() == {"a": [1]}


async def test_the_sweeper_publishes_nothing_before_its_turn(store: AsyncEventStore) -> None:
    """A replica whose clock is behind wrote a later commit with an older time."""
    topic = Topic()
    replica = Replica(store, topic, settle=timedelta(minutes=1))
    now = datetime.now(UTC)
    await store.append([commit_of("a", 1, at=now)])
    await store.append([commit_of("a", 2, at=now - timedelta(hours=1))])
    await store.append([commit_of("a", 3, at=now)])

    assert await replica.outbox.sweep() == 2

    assert topic.first_appearances() == {"a": [1, 2]}


@pytest.mark.parametrize("stop_at", EVERY_STEP)
async def test_what_was_seen_half_way_is_taken_up_with_what_was_before_it(
    store: AsyncEventStore, stop_at: Step
) -> None:
    topic = Topic()
    replica = Replica(store, topic, settle=timedelta(hours=1))
    for _ in range(2):
        with pytest.raises(ProcessStopped):
            await Replica(store, topic, stop_at=stop_at).note("a")
    seen = (await store.load({"a": 0}))["a"][-1]
    await store.append([commit_of("a", 3), commit_of("b")])

    await replica.outbox.take_up([seen])

    assert topic.first_appearances() == {"a": [1, 2]}
    assert await store.count_pending() == 2


async def test_the_sweeper_runs_until_it_is_stopped(store: AsyncEventStore) -> None:
    topic = Topic()
    topic.refuse = 1
    replica = Replica(store, topic, sweep_limit=3)
    for version in range(1, 9):
        await store.append([commit_of("a", version), commit_of("b", version)])
    stop = asyncio.Event()

    sweeper = asyncio.create_task(replica.outbox.run_sweeper(0.02, stop, retry_on=(BrokerRefused,)))
    await until(store, lambda pending: pending == 0)
    stop.set()
    await asyncio.wait_for(sweeper, 5)

    assert topic.first_appearances() == {"a": [*range(1, 9)], "b": [*range(1, 9)]}


async def test_a_failure_nobody_expected_ends_the_sweeper(store: AsyncEventStore) -> None:
    topic = Topic()
    topic.refuse = 1
    await store.append([commit_of("a")])

    with pytest.raises(BrokerRefused):
        await Replica(store, topic).outbox.run_sweeper(0.02, asyncio.Event())


async def reached(store: AsyncEventStore, pending: int) -> None:
    """Wait until that many commits are in the store, unpublished; then for a little more."""
    await until(store, lambda count: count >= pending)
    await asyncio.sleep(0.02)


async def until(store: AsyncEventStore, enough: Callable[[int], bool]) -> None:
    await eventually(store.count_pending, enough)


async def test_what_is_marked_later_is_marked_many_in_a_write_and_nobody_waits(
    store: AsyncEventStore,
) -> None:
    topic = Topic()
    replica = Replica(store, topic, mark_later=True)
    await replica.outbox.commit([commit_of("a"), commit_of("b")], pending_before=())
    await replica.outbox.commit([commit_of("a", 2)], pending_before=())

    assert await store.count_pending() == 3
    assert Step.MARKED not in replica.steps
    stop = asyncio.Event()
    stop.set()
    await replica.outbox.run_marker(stop)

    assert await store.count_pending() == 0
    assert replica.steps.count(Step.MARKED) == 1
    assert topic.first_appearances() == {"a": [1, 2], "b": [1]}


async def test_what_a_crash_left_unmarked_is_published_once_more(store: AsyncEventStore) -> None:
    topic = Topic()
    await Replica(store, topic, mark_later=True).outbox.commit([commit_of("a")], pending_before=())

    assert await Replica(store, topic).outbox.sweep() == 1

    assert [message.sequence for message in topic.arrived] == [1, 1]
    assert await store.count_pending() == 0
