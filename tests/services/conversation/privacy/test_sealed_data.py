"""In the event store nothing that a person said can be read, and nobody notices."""

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.conversation.message import MessageReceived
from libs.eventstore.errors import StopHere
from libs.eventstore.outbox import Step
from libs.runtime.mongo import Document
from services.conversation.privacy.sealed_store import COMMITS
from tests.support.conversation.world import World, serving

pytestmark = pytest.mark.servers

THREAD = "314159265"


class Stop(StopHere):
    """The process's end, at a step."""


async def test_commits_hold_no_text_and_no_name(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    conversation_id = world.conversation_id(THREAD)
    path = f"/v1/conversations/{conversation_id}"
    async with serving(world):
        await world.receive(world.inbound(THREAD, 1, "my heirloom teapot", cause="1"))
        await world.seen(dima, conversation_id)
        await world.call(dima, "POST", f"{path}/take")
        await world.call(dima, "POST", f"{path}/messages", {"content": {"text": "a samovar then"}})
        await world.call(dima, "POST", f"{path}/notes", {"text": "collects crockery"})
        await world.receive(world.inbound(THREAD, 1, "my heirloom kettle", kind="edit", cause="2"))
        await world.seen(dima, conversation_id, lambda view: view["version"] == 6)

        shown = str(await world.timeline(dima, conversation_id))
        for text in ("heirloom kettle", "samovar", "crockery", f"Customer {THREAD}"):
            assert text in shown

    kept = str(await database[COMMITS].find().to_list())
    for text in ("heirloom", "samovar", "crockery", "Customer", THREAD):
        assert text not in kept


async def test_what_another_process_left_is_published_whole(
    world: World, database: AsyncDatabase[Document]
) -> None:
    def stop(step: Step) -> None:
        if step is Step.APPENDED:
            raise Stop

    async with serving(world, stop) as failing:
        await world.receive(world.inbound("1", 1, "my heirloom teapot"))
        with pytest.raises(Stop):
            await failing.failure

    async with serving(world):
        received = (await world.events(2))[1].body
        assert isinstance(received, MessageReceived)
        assert received.message.content.text == "my heirloom teapot"
        assert received.message.sender
        assert received.message.sender.name == "Customer 1"
