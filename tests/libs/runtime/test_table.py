"""A compacted topic as a table: caught up, followed, forgotten, never back to an old state."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import REGISTRY

from libs.events.directory import GroupState
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.kafka import Outgoing, Publisher, outgoing
from libs.runtime.problems import Unavailable
from libs.runtime.topics import create_topics
from tests.support.kafka import envelope, of_newer_version, read_records
from tests.support.runtime.tables import Groups, put

pytestmark = pytest.mark.servers

WAIT_SECONDS = 15.0


@pytest.fixture
async def namespace(kafka_bootstrap: str, kafka_namespace: str) -> str:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.DIRECTORY])
    return kafka_namespace


@pytest.fixture
async def publisher(kafka_bootstrap: str, namespace: str) -> AsyncIterator[Publisher]:
    async with publishing(kafka_bootstrap, namespace) as publisher:
        yield publisher


async def bury(publisher: Publisher, key: str, sequence: int | None = None) -> int:
    headers = []
    if sequence is not None:
        state = envelope(GroupState(group_id=key, name=""), key, "w", sequence)
        headers = list(outgoing(state).headers)
    [position] = await publisher.publish([Outgoing(Topic.DIRECTORY, key.encode(), None, headers)])
    return position.offset


async def test_an_empty_topic_is_caught_up(kafka_bootstrap: str, namespace: str) -> None:
    groups = Groups(kafka_bootstrap, namespace)
    with pytest.raises(Unavailable):
        await groups.table.check()

    async with groups.following() as table:
        await table.wait_until(lambda: table.is_caught_up, WAIT_SECONDS)
        await table.check()


async def test_what_was_there_and_what_comes(
    kafka_bootstrap: str, namespace: str, publisher: Publisher
) -> None:
    for name in ("first", "second"):
        await put(publisher, "a", name)
    last = await put(publisher, "b", "other")
    groups = Groups(kafka_bootstrap, namespace)

    async with groups.following() as table:
        await table.wait_for(last, WAIT_SECONDS)
        assert table.is_caught_up
        assert groups.names == {"a": "second", "b": "other"}

        await table.wait_for(await put(publisher, "c", "new"), WAIT_SECONDS)
        assert groups.names["c"] == "new"


async def test_a_tombstone_forgets(
    kafka_bootstrap: str, namespace: str, publisher: Publisher
) -> None:
    groups = Groups(kafka_bootstrap, namespace)
    await put(publisher, "a", "mine", 1)

    async with groups.following() as table:
        await table.wait_for(await bury(publisher, "a", 2), WAIT_SECONDS)
        assert groups.names == {}

        await table.wait_for(await put(publisher, "a", "late", 1), WAIT_SECONDS)
        assert groups.names == {}
        await table.wait_for(await put(publisher, "a", "back", 3), WAIT_SECONDS)
        assert groups.names == {"a": "back"}
        await table.wait_for(await bury(publisher, "a"), WAIT_SECONDS)
        assert groups.names == {}


async def test_an_old_state_again_changes_nothing_but_is_told(
    kafka_bootstrap: str, namespace: str, publisher: Publisher
) -> None:
    groups = Groups(kafka_bootstrap, namespace)
    await put(publisher, "a", "one", 1)
    await put(publisher, "a", "two", 2)

    async with groups.following() as table:
        await table.wait_for(await put(publisher, "a", "one", 1), WAIT_SECONDS)
        assert groups.names == {"a": "two"}
        assert table.stale == {"a"}
        assert table.sequence_of("a") == 2

        await table.wait_for(await put(publisher, "a", "two", 2), WAIT_SECONDS)
        assert table.stale == set()
        assert groups.applied == [("a", "one"), ("a", "two")]


async def test_who_waits_too_long_is_told(kafka_bootstrap: str, namespace: str) -> None:
    groups = Groups(kafka_bootstrap, namespace)

    async with groups.following() as table:
        with pytest.raises(Unavailable):
            await table.wait_for(99, 0.2)


async def test_a_state_of_the_future_leaves_the_last_one_understood(
    kafka_bootstrap: str, namespace: str, publisher: Publisher
) -> None:
    await put(publisher, "a", "known", 1)
    good = outgoing(envelope(GroupState(group_id="a", name="x"), "a", "w", 2))
    poison = [
        Outgoing(good.topic, b"a", b"{}", good.headers),
        Outgoing(good.topic, b"\xff", None, []),
        Outgoing(good.topic, b"a", None, [("ce_sequence", b"seven")]),
    ]
    await publisher.publish(poison)
    last = await put(publisher, "b", "other", 1)
    groups = Groups(kafka_bootstrap, namespace)

    async with groups.following() as table:
        await table.wait_for(last, WAIT_SECONDS)

    assert groups.names == {"a": "known", "b": "other"}


async def test_what_a_newer_version_wrote_is_not_guessed_at(
    kafka_bootstrap: str, namespace: str, publisher: Publisher
) -> None:
    def newer(sequence: int) -> Outgoing:
        state = GroupState(group_id="a", name="x")
        return of_newer_version(outgoing(envelope(state, "a", "w", sequence)))

    async def read(one: Outgoing) -> None:
        [position] = await publisher.publish([one])
        await groups.table.wait_for(position.offset, WAIT_SECONDS)

    def alert() -> float | None:
        labels = {"topic": "parley.directory"}
        return REGISTRY.get_sample_value("parley_table_newer_states", labels)

    await put(publisher, "a", "known", 1)
    groups = Groups(kafka_bootstrap, namespace)
    async with groups.following() as table:
        # another kind of thing is not this version's
        team = [
            (n, b"parley.directory.team.v1" if n == "ce_type" else v) for n, v in newer(5).headers
        ]
        await read(Outgoing(Topic.DIRECTORY, b"a", b"{}", team))
        await table.check()

        await read(newer(3))
        with pytest.raises(Unavailable, match="older"):
            await table.check()
        assert groups.names == {"a": "known"}
        assert alert() == 1

        # the others are followed all the same, and what was before it does not come back
        await table.wait_for(await put(publisher, "b", "other", 1), WAIT_SECONDS)
        await table.wait_for(await put(publisher, "a", "late", 2), WAIT_SECONDS)
        assert groups.names == {"a": "known", "b": "other"}
        assert table.stale == {"a"}
        with pytest.raises(Unavailable):
            await table.check()

        # an older process takes it back
        await table.wait_for(await put(publisher, "a", "again", 3), WAIT_SECONDS)
        await table.check()
        assert (groups.names, alert()) == ({"a": "again", "b": "other"}, 0)

        await read(newer(4))
        await table.wait_for(await bury(publisher, "a", 5), WAIT_SECONDS)
        await table.check()
        assert groups.names == {"b": "other"}


async def test_holes_of_compaction_do_not_hold_it_up(
    kafka_bootstrap: str, kafka_namespace: str
) -> None:
    """The topic's last offsets are gone, and still it is read to its end."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    name = kafka_namespace + Topic.DIRECTORY
    eager = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.0",
        "segment.ms": "100",
        "delete.retention.ms": "0",
    }
    await admin.create_topics([NewTopic(name, 1, 1, topic_configs=eager)])
    await admin.close()
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        await put(publisher, "a", "stays", 1)
        for sequence in range(1, 40):
            await put(publisher, "b", f"b{sequence}", sequence)
        last = await bury(publisher, "b", 40)

        # The active segment is never compacted: a message begins a new one. How soon the cleaner
        # comes is the broker's affair, so the test holds with and without it.
        await asyncio.sleep(0.3)
        last = await put(publisher, "c", "end", 1)
    groups = Groups(kafka_bootstrap, kafka_namespace)

    async with groups.following() as table:
        await table.wait_for(last, WAIT_SECONDS)
        assert table.is_caught_up

    assert groups.names == {"a": "stays", "c": "end"}
    assert await read_records(kafka_bootstrap, name, lambda found: len(found) >= 2)
