"""What the topic shows is the newest state, whatever was published last or never."""

import asyncio
from collections.abc import Callable
from functools import partial, partialmethod
from typing import Any

import pytest

from libs.events.actions import Action
from libs.events.directory import GroupState, Role, RoleState
from libs.events.envelope import read_envelope
from libs.eventstore.outbox import Outbox, Step
from libs.eventstore.store import AsyncEventStore
from libs.runtime.broker import ServiceBroker, publishing
from libs.runtime.kafka import PublishFailed
from libs.runtime.mongo import mongo_client
from libs.runtime.process import ServiceSpec
from libs.runtime.topics import create_topics
from services.routing import app
from services.routing.commands.directory import DirectoryApplication, DirectoryCommandHandler
from services.routing.domain import rules
from services.routing.domain.permissions import PERMISSIONS
from services.routing.settings import RoutingSettings
from tests.support.between import Between
from tests.support.eventually import eventually
from tests.support.kafka import publish_state, read_records
from tests.support.routing.service import TOPICS, Client, Routing, headers_of

pytestmark = pytest.mark.servers


async def _until(routing: Routing, enough: Callable[[list[Any]], bool]) -> list[Any]:
    return await read_records(routing.bootstrap, routing.namespace + "parley.directory", enough)


async def test_an_old_state_that_comes_last_is_followed_by_the_newest(
    routing: Routing, client: Client
) -> None:
    await client.open_workspace()
    group = await client.done("POST", "/v1/groups", {"name": "First name"})
    group_id = group["group_id"]
    await client.done("PATCH", f"/v1/groups/{group_id}", {"name": "Second name"})

    async with publishing(routing.bootstrap, routing.namespace) as publisher:
        old = GroupState(group_id=group_id, name="First name")
        await publish_state(publisher, old, group_id, client.workspace_id, sequence=1)
    records = await _until(routing, lambda found: len(found) >= 9 + 4)

    last = read_envelope(records[-1].key, records[-1].headers, records[-1].value)
    assert last.sequence == 2
    assert last.body == GroupState(group_id=group_id, name="Second name")


async def test_a_topic_that_was_lost_is_filled_again(
    routing: Routing, kafka_bootstrap: str
) -> None:
    async with routing.running() as client:
        await client.open_workspace()
        kept = await client.done("POST", "/v1/groups", {"name": "Kept"})
        gone = await client.done("POST", "/v1/groups", {"name": "Gone"})
        await client.done("DELETE", f"/v1/groups/{gone['group_id']}")

    # A namespace of its own is a Kafka that has lost everything.
    routing.environment["PARLEY_KAFKA_NAMESPACE"] = routing.namespace + "new."
    routing.namespace += "new."
    await create_topics(kafka_bootstrap, routing.namespace, topics=TOPICS)
    async with routing.running():
        records = await routing.records(10)
        await asyncio.sleep(1.5)

    keys = [record.key.decode() for record in records]
    assert kept["group_id"] in keys
    assert gone["group_id"] not in keys
    assert len(await routing.records(10)) == 10


async def test_a_change_whose_process_died_is_published_by_the_sweeper(
    routing: Routing, mongodb_url: str, mongodb_name: str
) -> None:
    async with routing.running() as client:
        await client.open_workspace()
    async with mongo_client(mongodb_url, "tests") as mongo:
        application = DirectoryApplication(mongodb_url, mongodb_name)
        await _append_only(application, mongo[mongodb_name]["routing_commits"], client.workspace_id)
        application.close()

    async with routing.running():
        records = await routing.records(10)

    last = read_envelope(records[-1].key, records[-1].headers, records[-1].value)
    assert last.body == GroupState(group_id="grp_1", name="Sales")


async def test_a_change_left_half_way_is_finished_when_it_is_asked_for_again(
    routing: Routing,
) -> None:
    failures: list[Exception] = []

    async def fail(_step: Step) -> None:
        if failures:
            raise failures.pop()

    failing = ServiceSpec("routing", RoutingSettings, partial(app.compose, on_step=fail))
    # No sweep comes in time.
    async with routing.running(failing, PARLEY_ROUTING_SWEEP_SECONDS="3600") as client:
        await client.open_workspace()
        failures.append(PublishFailed("not acknowledged"))
        assert (await client.call("POST", "/v1/groups", {"name": "Sales"}, key="k")).status == 503

        made = await client.done("POST", "/v1/groups", {"name": "Sales"}, key="k")
        records = await routing.records(10)

    assert records[-1].key.decode() == made["group_id"]


async def test_a_change_that_kafka_does_not_acknowledge_is_stored_and_comes_later(
    routing: Routing, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partialmethod(ServiceBroker.publishes, timeout_seconds=2)
    monkeypatch.setattr(ServiceBroker, "publishes", impatient)
    between = Between(kafka_bootstrap)
    await between.open()
    routing.environment["PARLEY_KAFKA_BOOTSTRAP_SERVERS"] = between.address
    try:
        async with routing.running() as client:
            await client.open_workspace()
            between.silent = True
            refused = await client.call("POST", "/v1/groups", {"name": "Sales"}, key="k")
            between.silent = False
            await between.close()
            await between.open()
            again = await eventually(
                lambda: client.call("POST", "/v1/groups", {"name": "Sales"}, key="k"),
                lambda answer: answer.status != 503,
            )
            records = await routing.records(10)
    finally:
        await between.close()

    assert refused.status == 503
    assert refused.headers["retry-after"] == "1"
    assert again.status == 201
    assert again.body["group_id"] in {record.key.decode() for record in records}
    assert len({record.key for record in records}) == 10


class _Died(Exception):
    pass


async def _append_only(
    application: DirectoryApplication, collection: Any, workspace_id: str
) -> None:
    async def die(step: Step) -> None:
        raise _Died

    async def never(_given: object) -> None:
        raise AssertionError

    store = AsyncEventStore(collection)
    outbox = Outbox(store, never, never, on_step=die)
    topic: Any = None  # it dies before
    commands = DirectoryCommandHandler(application, store, outbox, topic)
    with pytest.raises(_Died):
        await commands.change(
            workspace_id,
            "cause-1",
            lambda there: rules.add_group(there, "grp_1", name="Sales", member_ids=()),
        )


async def test_a_new_permission_table_is_told_at_start(
    routing: Routing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setitem(PERMISSIONS, Role.ANALYST, frozenset({Action.READ}))
        async with routing.running() as client:
            await client.open_workspace()

    async with routing.running():
        records = await routing.records(10)

    last = read_envelope(records[-1].key, records[-1].headers, records[-1].value)
    assert last.sequence == 2
    assert last.body == RoleState(role=Role.ANALYST, actions=("read", "see_metrics"))


async def test_two_replicas_change_one_workspace_at_once(routing: Routing) -> None:
    """Nothing is lost, the versions of a thing appear in order, and the newest stays."""
    async with routing.running() as one, routing.running() as other:
        await one.open_workspace()
        other.workspace_id, other.member_id = one.workspace_id, one.member_id
        group_id = (await one.done("POST", "/v1/groups", {"name": "Sales"}))["group_id"]

        answers = await asyncio.gather(
            *(
                client.call("PATCH", f"/v1/groups/{group_id}", {"name": f"Sales {number}"})
                for number in range(8)
                for client in (one, other)
            )
        )

        # Both ask for each name: the one who comes directly after the other changes nothing.
        assert {answer.status for answer in answers} == {200}
        last = await one.call("PATCH", f"/v1/groups/{group_id}", {"name": "The last"})
        records = await _until(
            routing, lambda found: found[-1:] != [] and _name(found) == "The last"
        )

    assert last.offset <= records[-1].offset
    seen = [int(headers_of(r)["ce_sequence"]) for r in records if r.key.decode() == group_id]
    first_appearances = list(dict.fromkeys(seen))
    assert first_appearances == list(range(1, max(seen) + 1))
    assert max(seen) >= 1 + 8 + 1


def _name(records: list[Any]) -> str:
    last = read_envelope(records[-1].key, records[-1].headers, records[-1].value)
    return last.body.name if isinstance(last.body, GroupState) else ""
