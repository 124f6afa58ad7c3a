"""The process stops after each step of append, project, publish, mark: the next one finishes it."""

from collections.abc import Callable

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.eventstore.errors import StopHere
from libs.eventstore.outbox import Step
from libs.runtime.mongo import Document
from services.conversation.privacy.sealed_store import COMMITS
from tests.support.conversation.world import World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


class Stop(StopHere):
    """The process's end, at a step."""


def stopping_at(wanted: Step) -> Callable[[Step], None]:
    def on_step(step: Step) -> None:
        if step is wanted:
            raise Stop

    return on_step


async def eventually_published(database: AsyncDatabase[Document]) -> None:
    async def none_pending() -> bool:
        return await database[COMMITS].count_documents({"pending": True}) == 0

    await eventually(none_pending)


@pytest.mark.parametrize("step", list(Step))
async def test_a_message_that_met_a_stop_is_there_once(
    world: World, database: AsyncDatabase[Document], step: Step
) -> None:
    dima = await world.member("Dima")
    conversation_id = world.conversation_id("1")
    first = world.inbound("1", 1)
    # given a process that takes in a message and ends at the step
    async with serving(world, stopping_at(step)) as failing:
        await world.receive(first)
        with pytest.raises(Stop):
            await failing.failure
    # when another one goes on, and gets the message again
    async with serving(world):
        await world.receive(first, world.inbound("1", 2))
        view = await world.seen(dima, conversation_id, lambda v: v["version"] >= 3)
        await eventually_published(database)
        # then it is there once, everywhere, in order
        assert view["version"] == 3
        events = await world.events(3)
        sequences = [event.sequence for event in events]
        assert sorted(set(sequences)) == [1, 2, 3]
        assert [n for at, n in enumerate(sequences) if n not in sequences[:at]] == [1, 2, 3]


@pytest.mark.parametrize("step", list(Step))
async def test_a_command_that_met_a_stop_is_answered_when_it_is_repeated(
    world: World, database: AsyncDatabase[Document], step: Step
) -> None:
    dima = await world.member("Dima")
    conversation_id = world.conversation_id("1")
    path = f"/v1/conversations/{conversation_id}"
    body = {"content": {"text": "hi"}, "close": True}
    # given a case that is taken
    async with serving(world):
        await world.receive(world.inbound("1", 1))
        await world.seen(dima, conversation_id)
        assert (await world.call(dima, "POST", f"{path}/take")).status == 200
    # when the process meets a stop while it answers and closes
    async with serving(world, stopping_at(step)):
        failed = await world.call(dima, "POST", f"{path}/messages", body, key="one")
        # Nobody waits for the mark: a command is answered before it.
        assert failed.status == (201 if step is Step.MARKED else 500)
    # then the repeated command is answered as done, though the case is closed by now
    async with serving(world):
        sent = await world.call(dima, "POST", f"{path}/messages", body, key="one")
        assert sent.status == 201, sent
        assert sent.body["item"]["content"]["text"] == "hi"
        assert sent.body["conversation"]["case"]["state"] == "done"
        await eventually_published(database)
        requests = await world.events(1, "parley.outbound")
        assert {e.body.message_id for e in requests} == {sent.body["item"]["id"]}  # type: ignore[attr-defined]
        view = await world.seen(dima, conversation_id)
        assert view["version"] == 5


@pytest.mark.parametrize("step", [Step.APPENDED, Step.PROJECTED])
async def test_who_was_answered_sees_it_though_it_was_left_half_way(
    world: World, step: Step
) -> None:
    dima = await world.member("Dima")
    conversation_id = world.conversation_id("1")
    path = f"/v1/conversations/{conversation_id}"
    # given a sweeper that will not come in the next hour, and a case that is taken
    world.settings = world.settings.model_copy(update={"conversation_settle_seconds": 3600.0})
    async with serving(world):
        await world.receive(world.inbound("1", 1))
        await world.seen(dima, conversation_id)
        assert (await world.call(dima, "POST", f"{path}/take")).status == 200
    # when the process meets a stop while it closes, and another one is asked again
    async with serving(world, stopping_at(step)):
        assert (await world.call(dima, "POST", f"{path}/close", key="one")).status == 500
    async with serving(world):
        assert (await world.call(dima, "POST", f"{path}/close", key="one")).status == 200
        # then whom it was answered sees it in the lists, and Kafka has it
        mine = await world.call(dima, "GET", "/v1/conversations", query={"tab": "mine"})
        done = await world.call(dima, "GET", "/v1/conversations", query={"tab": "done"})
        assert mine.body["items"] == []
        assert [row["conversation_id"] for row in done.body["items"]] == [conversation_id]
        assert [event.sequence for event in await world.events(4)] == [1, 2, 3, 4]


async def test_who_lost_sight_before_they_were_answered_is_told_of_no_later_case(
    world: World,
) -> None:
    dima, olena = await world.member("Dima"), await world.member("Olena")
    conversation_id = world.conversation_id("1")
    path = f"/v1/conversations/{conversation_id}"
    # given a close that is stored, and whose member was not answered
    async with serving(world):
        await world.receive(world.inbound("1", 1))
        await world.seen(dima, conversation_id)
        assert (await world.call(dima, "POST", f"{path}/take")).status == 200
    async with serving(world, stopping_at(Step.PROJECTED)):
        assert (await world.call(dima, "POST", f"{path}/close", key="one")).status == 500
    async with serving(world):
        # when the customer's next case waits in routing, and is then another group's
        group_id = await world.autoforward(olena)
        await world.settled()
        await world.receive(world.inbound("1", 2))
        await eventually(lambda: _is_hidden(world, dima, conversation_id))
        waiting = await world.call(dima, "POST", f"{path}/close", key="one")
        await world.route(conversation_id, f"{conversation_id}.2", group_id)
        await world.seen(olena, conversation_id)
        routed = await world.call(dima, "POST", f"{path}/close", key="one")
        # then the repeat tells nothing of it, and does nothing
        assert (waiting.status, routed.status) == (404, 404), (waiting, routed)
        view = await world.view(olena, conversation_id)
        assert view.body["case"]["state"] == "new"
        assert view.body["case"]["case_id"] == f"{conversation_id}.2"


async def _is_hidden(world: World, member_id: str, conversation_id: str) -> bool:
    return (await world.view(member_id, conversation_id)).status == 404


@pytest.mark.parametrize("step", list(Step))
async def test_a_block_that_met_a_stop_reaches_the_conversation(
    world: World, database: AsyncDatabase[Document], step: Step
) -> None:
    dima = await world.member("Dima")
    conversation_id = world.conversation_id("1")
    path = f"/v1/customers/{world.id_key.customer(world.source_id, '1')}/block"
    # given a customer whom a member blocks, and a stop in the middle of it
    async with serving(world):
        await world.receive(world.inbound("1", 1))
        await world.seen(dima, conversation_id)
    async with serving(world, stopping_at(step)):
        await world.call(dima, "POST", path, key="one")
    # when another process goes on
    async with serving(world):
        await world.seen(dima, conversation_id, lambda view: view["version"] == 3)
        assert (await world.call(dima, "POST", path, key="one")).status == 200
        await world.receive(world.inbound("1", 2))
        # then the customer is blocked once, and what they write is withheld
        await world.seen(dima, conversation_id, lambda view: view["version"] == 4)
        await eventually_published(database)
        items = (await world.timeline(dima, conversation_id))["items"]
        assert [item["key"] for item in items if item["kind"] == "system"] == [
            "customer-blocked",
            "case-opened",
        ]
        assert items[0]["withheld"]
