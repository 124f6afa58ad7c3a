"""What nobody can read on ``parley.directory`` holds up no state beside it."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from libs.events.directory import GroupState
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.header_names import understand_header_names
from libs.runtime.kafka import Publisher, outgoing
from libs.runtime.topics import create_topics
from tests.support.kafka import envelope
from tests.support.raw_records import poisoned, put_raw
from tests.support.runtime.tables import Groups, put

pytestmark = pytest.mark.servers


@pytest.fixture
async def publisher(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Publisher]:
    understand_header_names()
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.DIRECTORY])
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        yield publisher


async def test_each_kind_of_poison_is_counted_and_every_other_state_is_applied(
    kafka_bootstrap: str, kafka_namespace: str, publisher: Publisher
) -> None:
    def counted() -> float:
        labels = {"topic": Topic.DIRECTORY.value, "group": "table"}
        return REGISTRY.get_sample_value("parley_dead_letters_total", labels) or 0

    groups, before = Groups(kafka_bootstrap, kafka_namespace), counted()
    good = outgoing(envelope(GroupState(group_id="bad", name="?"), "bad", "w", 5))
    poison = poisoned(good)
    async with groups.following() as table:
        await put(publisher, "a", "first", 1)
        for one in poison:
            await put_raw(kafka_bootstrap, kafka_namespace + Topic.DIRECTORY, [one])
        await table.wait_for(await put(publisher, "b", "last", 1), 30)
        await table.check()

    assert groups.names == {"a": "first", "b": "last"}
    assert counted() == before + len(poison)
