"""The read models come from the commits, and can be made again while the service runs."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.content import Attachment
from libs.runtime.mongo import Document
from services.conversation.read_models.attachments import FILES
from services.conversation.read_models.customers.rows import CUSTOMERS
from services.conversation.read_models.inbox.rows import INBOX
from services.conversation.read_models.messages.rows import MESSAGES
from services.conversation.read_models.rebuild.rebuild import Rebuilt, rebuild
from services.conversation.read_models.rebuild.registry import read_models
from services.conversation.read_models.rebuild.renewal import (
    READ_MODELS,
    VERSIONS,
    BeingRebuilt,
    rebuild_alone,
)
from services.conversation.read_models.search.index import SEARCH
from tests.support.conversation.world import DEPLOYMENT_KEY, World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


NAMES = ("inbox", "messages", "customers", "attachments", "search")


async def rebuilt_of(database: AsyncDatabase[Document], name: str) -> Rebuilt:
    model = read_models(DEPLOYMENT_KEY)[name]()
    return await rebuild(database, DEPLOYMENT_KEY, model)


async def rows(database: AsyncDatabase[Document]) -> dict[str, Document]:
    inbox, messages = database[INBOX].find(), database[MESSAGES].find()
    return {row["_id"]: row for row in (*await inbox.to_list(), *await messages.to_list())}


async def test_what_is_rebuilt_equals_what_it_replaces(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        threads = [str(n) for n in range(30)]
        await world.receive(*(world.inbound(t, n) for n in range(3) for t in threads))
        await world.receive(world.inbound("0", 1, "edited", kind="edit"))
        await world.events(121)
        path = f"/v1/conversations/{world.conversation_id('0')}"
        await world.call(dima, "POST", f"{path}/take")
        body = {"content": {"text": "hi"}}
        sent = (await world.call(dima, "POST", f"{path}/messages", body)).body["item"]
        await world.deliver(world.conversation_id("0"), sent["id"], "sent", ("7",))
        await world.events(124)

        ids = [world.conversation_id(thread) for thread in threads]

        async def searchable() -> bool:
            # Written behind: 91 messages, what 30 conversations are called, their cases' numbers.
            return await database[SEARCH].count_documents({"c": {"$in": ids}}) == 151

        await eventually(searchable)
        # What a test before this one left unread on the topics they share.
        await database[SEARCH].delete_many({"c": {"$nin": ids}})
        live = await rows(database)
        assert len(live) == 32
        for name, number in (("inbox", 30), ("messages", 2), ("customers", 30), ("search", None)):
            unchanged = await rebuilt_of(database, name)
            assert number is None or unchanged.rows == number
            assert (unchanged.replaced, unchanged.removed) == (0, 0), name

        # given rows that were lost, spoilt, and invented
        await database[INBOX].delete_many({"_id": {"$in": ids[:10]}})
        await database[INBOX].update_many({"_id": {"$in": ids[10:15]}}, {"$set": {"people": ["x"]}})
        await database[INBOX].insert_one({"_id": "cnv_nowhere", "v": 5})
        await database[MESSAGES].delete_one({"_id": sent["id"]})
        await database[CUSTOMERS].delete_many({})
        await database[SEARCH].delete_many({"c": {"$in": ids[:10]}})

        # when it is rebuilt while customers go on writing
        async def writing() -> None:
            for n in range(10, 20):
                await world.receive(*(world.inbound(t, n) for t in threads))
                await asyncio.sleep(0.02)

        async def rebuilding() -> int:
            return sum([(await rebuilt_of(database, name)).removed for name in NAMES])

        _, removed = await asyncio.gather(writing(), rebuilding())
        assert removed == 1
        await world.events(424)

        # then nothing is missing, nothing is old, and another rebuild finds nothing to do
        async def settled() -> bool:
            # The search's rows are written behind.
            return (await rebuilt_of(database, "search")).replaced == 0

        await eventually(settled)
        for name in NAMES:
            again = await rebuilt_of(database, name)
            assert (again.replaced, again.removed) == (0, 0), name
        after = await rows(database)
        assert after.keys() == live.keys()
        assert {after[i]["v"] for i in ids[1:]} == {14}
        assert after[sent["id"]] == live[sent["id"]]


async def test_the_service_goes_on_where_rows_were_lost(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    conversation_id = world.conversation_id("1")
    async with serving(world):
        await world.receive(world.inbound("1", 1))
        await world.seen(dima, conversation_id)
    await database[INBOX].delete_many({})
    async with serving(world):
        await world.receive(world.inbound("1", 2))
        # the sweeper may have brought the row back with what was there before
        await world.seen(dima, conversation_id, lambda view: view["version"] == 3)


async def test_rows_of_an_older_version_are_made_again_by_themselves(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    async with serving(world):
        await world.receive(world.inbound("1", 1, "звоните: 050 123 45 68"))
        await world.seen(dima, world.conversation_id("1"))

    # given rows as an earlier release made them
    await database[SEARCH].update_many({}, {"$set": {"t": [1]}, "$unset": {"p": ""}})
    await database[READ_MODELS].delete_many({})

    # when this one is started, then they are found by what it makes of them
    async with serving(world):

        async def found() -> bool:
            query = {"q": "+380501234568"}
            answer = await world.call(dima, "GET", "/v1/conversations", query=query)
            return len(answer.body["items"]) == 1

        await eventually(found)

        async def noted() -> bool:
            models = await database[READ_MODELS].find({"version": {"$exists": True}}).to_list()
            return {one["_id"] for one in models} == VERSIONS.keys()

        await eventually(noted)


async def test_no_two_make_the_same_rows_at_once(database: AsyncDatabase[Document]) -> None:
    model = read_models(DEPLOYMENT_KEY)["search"]
    later = datetime.now(UTC) + timedelta(minutes=1)
    await database[READ_MODELS].insert_one({"_id": "search", "until": later})
    with pytest.raises(BeingRebuilt):
        await rebuild_alone(database, DEPLOYMENT_KEY, "search", model())
    gone = datetime.now(UTC) - timedelta(minutes=1)
    await database[READ_MODELS].update_one({"_id": "search"}, {"$set": {"until": gone}})
    await rebuild_alone(database, DEPLOYMENT_KEY, "search", model())


async def test_where_files_are_is_made_again_from_the_messages(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    file = Attachment(attachment_id="att_1", kind="image", media_type="image/png", reference="r")
    async with serving(world):
        for thread in ("1", "2"):
            message = world.inbound(thread, 1)
            content = replace(message.content, attachments=(file,))
            await world.receive(replace(message, content=content))
            await world.seen(dima, world.conversation_id(thread))
        live = await database[FILES].find({"a": "att_1"}).sort("_id").to_list()
        places = {row["c"] for row in live}
        assert places == {world.conversation_id("1"), world.conversation_id("2")}
        await database[FILES].delete_many({"a": "att_1"})
        assert (await rebuilt_of(database, "attachments")).replaced == 2
        assert await database[FILES].find({"a": "att_1"}).sort("_id").to_list() == live
