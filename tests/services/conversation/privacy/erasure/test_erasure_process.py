"""A person is forgotten: nothing of what they said is left or comes back, and what counts stays."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.conversation.customer import AttachmentsErased, CustomerErased
from libs.events.directory import Role
from libs.runtime.mongo import Document
from services.conversation.privacy.erasure.erasures import ERASURES
from services.conversation.privacy.keyring import KEYS
from services.conversation.read_models.inbox.rows import INBOX
from services.conversation.read_models.messages.rows import MESSAGES
from services.conversation.read_models.rebuild.rebuild import ReadModel, rebuild
from services.conversation.read_models.rebuild.registry import read_models
from services.conversation.read_models.search.index import SEARCH
from tests.support.conversation.erasing import ADA, EVERYTHING, OWNER, SAID, a_conversation, erase
from tests.support.conversation.world import (
    DEPLOYMENT_KEY,
    World,
    serving,
)
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def dump(database: AsyncDatabase[Document]) -> str:
    collections = [database[name] for name in await database.list_collection_names()]
    return str([await collection.find().to_list() for collection in collections])


async def rows(database: AsyncDatabase[Document]) -> dict[str, Document]:
    inbox, messages = database[INBOX].find(), database[MESSAGES].find()
    return {row["_id"]: row for row in (*await inbox.to_list(), *await messages.to_list())}


async def test_nothing_is_shown_and_nothing_is_left(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        conversation_id = await a_conversation(world, dima)
        await world.receive(world.inbound("other", 1, "a different matter"))
        await world.seen(dima, world.conversation_id("other"))
        before = (await world.view(dima, conversation_id)).body

        erased = await erase(world, dima)

        # what is shown has its times and its people, and no words
        assert erased["conversations"] == 1
        view = (await world.view(dima, conversation_id)).body
        assert view["customer"]["name"] == ""
        assert view["case"] == before["case"]
        assert "preview" not in view["last_message"]
        assert view["last_message"]["occurred_at"] == before["last_message"]["occurred_at"]
        timeline = await world.timeline(dima, conversation_id)
        kinds = [(one["kind"], one.get("key")) for one in timeline["items"]]
        assert kinds == [
            ("system", "customer-erased"),
            ("note", None),
            ("message", None),
            ("system", "case-taken"),
            ("message", None),
            ("system", "case-opened"),
        ]
        messages = [one for one in timeline["items"] if one["kind"] == "message"]
        assert [one["content"] for one in messages] == [{"erased": True}] * 2
        shown = str(timeline) + str(view)
        assert not [text for text in SAID if text in shown]

        # the others are not concerned
        other = await world.timeline(dima, world.conversation_id("other"))
        assert "a different matter" in str(other)

        # a first answer that was kept does not open any longer: the command's effect is told anew
        path = f"/v1/conversations/{conversation_id}"
        body = {"content": {"text": "a samovar then"}}
        again = await world.call(dima, "POST", f"{path}/messages", body, key="say")
        assert again.status == 201
        assert again.body["item"]["content"] == {"erased": True}

        # the world is told, with what else is to go
        events = [one.body for one in await world.events(10)]
        assert [one for one in events if isinstance(one, CustomerErased)]
        files = [one for one in events if isinstance(one, AttachmentsErased)]
        assert [one.attachment_ids for one in files] == [
            (world.id_key.attachment(world.source_id, "cat"),)
        ]
    kept = await dump(database)
    assert not [text for text in SAID if text in kept]
    assert "a different matter" in kept


async def test_a_past_from_before_it_is_told_without_the_person(world: World) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        conversation_id = await a_conversation(world, dima)
        path = f"/v1/conversations/{conversation_id}"
        instant = {"as_of": datetime.now(UTC).isoformat()}
        then = await world.call(dima, "GET", path, query=instant)
        assert "Customer" in str(then.body)

        await erase(world, dima)
        view = (await world.call(dima, "GET", path, query=instant)).body
        timeline = (await world.call(dima, "GET", f"{path}/timeline", query=instant)).body

        assert (view["erased"], timeline["erased"]) == (True, True)
        assert view["version"] == 6
        assert len(timeline["items"]) == 5
        assert not [text for text in SAID if text in str(view) + str(timeline)]


async def test_nothing_comes_back(world: World, database: AsyncDatabase[Document]) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        conversation_id = await a_conversation(world, dima)
        await erase(world, dima)
        version = (await world.view(dima, conversation_id)).body["version"]

        # the platform tells of the message and of the edit once more, and then of a new one
        await world.receive(world.inbound(ADA, 1, "my heirloom teapot", cause="a"))
        await world.receive(world.inbound(ADA, 1, "my heirloom kettle", kind="edit", cause="b"))
        await world.receive(world.inbound(ADA, 2, "do you know me?", cause="c"))
        view = await world.seen(dima, conversation_id, lambda view: view["version"] > version)
        assert view["version"] == version + 1
        assert view["customer"]["name"] == f"Customer {ADA}"
        assert view["last_message"]["preview"] == "do you know me?"
        timeline = await world.timeline(dima, conversation_id)
        assert timeline["items"][0]["content"] == {"text": "do you know me?"}
        assert "heirloom" not in str(timeline)

        # what is rebuilt is what is there
        live = await rows(database)
        for name, model in read_models(DEPLOYMENT_KEY).items():

            async def agrees(name: str = name, model: Callable[[], ReadModel] = model) -> bool:
                rebuilt = await rebuild(database, DEPLOYMENT_KEY, model())
                same = (rebuilt.replaced, rebuilt.removed) == (0, 0)
                # The search's rows are written behind.
                assert same or name == "search", (name, rebuilt)
                return same

            await eventually(agrees)
        search = database[SEARCH].find({"c": conversation_id, "v": {"$lte": version - 1}})
        assert await search.to_list() == []
        assert await rows(database) == live
    assert "heirloom" not in await dump(database)


async def test_a_second_time_forgets_what_was_said_since(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        conversation_id = await a_conversation(world, dima)
        await erase(world, dima)
        await world.receive(world.inbound(ADA, 2, "my newer teapot", cause="c"))
        await world.seen(dima, conversation_id, lambda view: view["customer"]["name"] != "")

        await erase(world, dima)

        assert "newer" not in str(await world.timeline(dima, conversation_id))
    assert "newer" not in await dump(database)
    keys = await database[KEYS].find_one({"_id": world.id_key.customer(world.source_id, ADA)})
    assert keys
    assert (keys["newest"], list(keys["keys"])) == (3, ["3"])


async def test_what_was_written_down_of_the_person_goes_with_all_their_identities(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima", Role.ADMIN)
    async with serving(world):
        await a_conversation(world, dima)
        await world.receive(world.inbound("161803398", 1, "hey, it is me, heirloom", cause="x"))
        await world.seen(dima, world.conversation_id("161803398"))
        ada, same = (world.id_key.customer(world.source_id, one) for one in (ADA, "161803398"))
        card = {"name": "Ada Lovelace", "phone": "+380501112233", "email": "ada@coffee.example"}
        path = f"/v1/customers/{ada}"
        edited = await world.call(dima, "PATCH", path, card, key="card", actions=EVERYTHING)
        assert edited.status == 200, edited
        merged = await world.call(
            dima, "POST", f"{path}/merge", {"customer_id": same}, actions=EVERYTHING
        )
        assert merged.status == 200, merged
        assert "Lovelace" in str(merged.body)

        erased = await erase(world, dima)

        assert erased["conversations"] == 2
        view = (await world.call(dima, "GET", path, actions=EVERYTHING)).body
        assert (view["name"], view["card"]) == ("", {})
        assert len(view["identities"]) == 2
    kept = await dump(database)
    assert not [text for text in (*SAID, "Lovelace", "380501112233", "161803398") if text in kept]


async def test_who_is_not_known_cannot_be_forgotten(world: World) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        await world.settled()
        unknown = await world.call(dima, "POST", "/v1/customers/cus_nobody/erase", actions=OWNER)
        assert unknown.status == 404
        # nor by another workspace
        await a_conversation(world, dima)
        other = world.beside()
        await other.begin()
        eve = await other.member("Eve")
        await other.settled()
        customer_id = world.id_key.customer(world.source_id, ADA)
        answer = await other.call(eve, "POST", f"/v1/customers/{customer_id}/erase", actions=OWNER)
        assert answer.status == 404


async def test_an_answer_has_to_wait_for_the_person(world: World) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        conversation_id = await a_conversation(world, dima)
        await erase(world, dima)

        answer = await world.call(
            dima,
            "POST",
            f"/v1/conversations/{conversation_id}/messages",
            {"content": {"text": "hello?"}},
        )

        assert answer.status == 409
        assert answer.body["type"].endswith("customer-erased")


async def test_many_who_write_while_they_are_forgotten_lose_nothing_new(
    world: World, database: AsyncDatabase[Document]
) -> None:
    """What is decided before the erasure is forgotten, and what comes after it can be read."""
    dima = await world.member("Dima")
    conversation_id = world.conversation_id(ADA)
    async with serving(world):
        await world.receive(world.inbound(ADA, 0, "word 0", cause="0"))
        await world.seen(dima, conversation_id)

        async def write() -> None:
            for number in range(1, 40):
                await world.receive(world.inbound(ADA, number, f"word {number}", cause=str(number)))
                await asyncio.sleep(0.005)

        await asyncio.gather(write(), erase(world, dima))
        await world.receive(world.inbound(ADA, 99, "the last word", cause="99"))

        def has_the_last_word(view: Any) -> bool:
            # Where the erasure came after all the others, there is nothing to preview until then.
            return bool(view["last_message"].get("preview") == "the last word")

        await world.seen(dima, conversation_id, has_the_last_word)
        items = (await world.timeline(dima, conversation_id, limit="100"))["items"]
        erased_at = next(n for n, one in enumerate(items) if one.get("key") == "customer-erased")
        after, before = items[:erased_at], items[erased_at + 1 :]
        assert all(one["content"].get("text") for one in after if one["kind"] == "message")
        assert all(one["content"] == {"erased": True} for one in before if one["kind"] == "message")
        assert len([one for one in items if one["kind"] == "message"]) == 41


async def test_what_begins_afterwards_is_not_forgotten_with_the_rest(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima", Role.ADMIN)
    async with serving(world):
        await a_conversation(world, dima)
        await erase(world, dima)

        # the same person in a thread of its own, and on a card that there was none of before
        ada = world.id_key.customer(world.source_id, ADA)
        await world.receive(replace(world.inbound("comments", 1, "hello again"), customer_id=ada))
        path = f"/v1/customers/{ada}"
        await world.call(dima, "PATCH", path, {"name": "Ada"}, actions=EVERYTHING)
        await looked_at(database, ada)
        # There is nothing to see of its being looked at once more. But it was, in whole, when
        # another erasure is through that was begun since.
        await world.receive(world.inbound("other", 1, "a different matter"))
        await world.seen(dima, world.conversation_id("other"))
        await erase(world, dima, "other")
        await looked_at(database, world.id_key.customer(world.source_id, "other"))

        timeline = await world.timeline(dima, world.conversation_id("comments"))
        assert "hello again" in str(timeline)
        assert (await world.call(dima, "GET", path, actions=EVERYTHING)).body["name"] == "Ada"


async def looked_at(database: AsyncDatabase[Document], identity: str) -> None:
    """Once it was seen to that the person stays forgotten. Errors: TimeoutError."""

    async def is_done() -> bool:
        asked = {"identity": identity, "stage": "done"}
        return await database[ERASURES].find_one(asked) is not None

    await eventually(is_done)
