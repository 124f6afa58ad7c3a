"""A new thread of a customer who is known shows what is known, without anybody editing the card."""

import asyncio
from datetime import UTC, datetime
from itertools import count

import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.conversation.customer import CustomerKnown
from libs.events.customer import Card
from libs.runtime.mongo import Document
from services.conversation.privacy.erasure.erasures import ERASURES
from services.conversation.privacy.keyring import Keyring
from tests.support.conversation.steps import a_case, customer_of, done
from tests.support.conversation.world import DEPLOYMENT_KEY, World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def another_thread(world: World, thread: str, whose: str) -> str:
    """The conversation: of the same sender a comment, say, or a chat with the business."""
    await world.receive(replace(world.inbound(thread, 1), customer_id=customer_of(world, whose)))
    return world.conversation_id(thread)


async def test_it_shows_the_card_of_the_person_and_is_found_by_it(served: World) -> None:
    dima = await served.member("Dima")
    one, _ = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    first, second = customer_of(served, "1"), customer_of(served, "2")
    card = {"name": "Ada", "phone": "+380 50 111 22 33", "tags": ["vip"]}
    await done(await served.call(dima, "PATCH", one, card))
    await done(await served.call(dima, "POST", f"{one}/funnel", {"status": "desire"}))
    await done(await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}))

    shown = {"customer_id": first, "name": "Ada"}
    # What became of them was told to the threads that were there.
    await served.seen(dima, served.conversation_id("2"), lambda view: view["customer"] == shown)

    new = {await another_thread(served, "3", "1"), await another_thread(served, "4", "2")}

    for conversation_id in new:
        await served.seen(dima, conversation_id, lambda view: view["customer"] == shown)
        items = (await served.timeline(dima, conversation_id))["items"]
        assert [one["key"] for one in items if one["kind"] == "system"] == ["case-opened"]

    async def listed(**query: str) -> set[str]:
        asked = {"tab": "new", **query}
        page = await done(await served.call(dima, "GET", "/v1/conversations", query=asked))
        return {row["conversation_id"] for row in page["items"]}

    for query in ({"customer_tag": "vip"}, {"funnel": "desire"}, {"has_phone": "true"}):
        assert await listed(**query) == new

    async def is_found() -> bool:
        return await listed(q="+380501112233") == new

    await eventually(is_found)


async def test_of_who_is_not_known_nothing_is_told(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1", taken=False)
    await another_thread(served, "2", "1")
    await served.seen(dima, served.conversation_id("2"))
    await another_thread(served, "3", "1")
    await done(await served.call(dima, "POST", f"{path}/block"))
    told = [one.body for one in await served.events(7)]
    assert not [one for one in told if isinstance(one, CustomerKnown)]


async def test_who_was_unblocked_just_before_is_heard(world: World) -> None:
    """A replica may not know yet that somebody is not blocked any more."""
    dima = await world.member("Dima")
    async with serving(world):
        path = await a_case(world, dima, "1")
        await done(await world.call(dima, "POST", f"{path}/block"))
        # Replicas look for the blocked each second.
        await asyncio.sleep(1.5)
        await done(await world.call(dima, "POST", f"{path}/unblock"))
        await world.seen(dima, world.conversation_id("1"), lambda view: view["version"] == 5)
        numbers = count(1)

        async def is_heard() -> bool:
            message = world.inbound("2", next(numbers))
            await world.receive(replace(message, customer_id=customer_of(world, "1")))
            await asyncio.sleep(0.2)
            view = await world.view(dima, world.conversation_id("2"))
            return view.status == 200 and bool(view.body["case"]["state"] == "new")

        await eventually(is_heard)


async def test_a_card_that_is_just_being_erased_is_told_to_nobody(
    world: World, database: AsyncDatabase[Document]
) -> None:
    """The erasure finds no conversation that began after the new keys did: it has nothing of what
    was there before, and must not get it."""
    dima = await world.member("Dima")
    customer_id = customer_of(world, "1")
    async with serving(world):
        path = await a_case(world, dima, "1")
        await done(await world.call(dima, "PATCH", path, {"name": "Ada", "note": "heirloom"}))
        await done(await world.call(dima, "POST", f"{path}/funnel", {"status": "desire"}))
        await world.seen(dima, world.conversation_id("1"), lambda view: view["version"] == 5)

        # given an erasure that stopped at its beginning
        keyring = Keyring(database, DEPLOYMENT_KEY, 10)
        await keyring.begin_generation(customer_id, world.workspace_id, 1)
        conversation_id = await another_thread(world, "2", "1")
        await asyncio.sleep(1)
        view = await world.seen(dima, conversation_id)
        assert (view["version"], view["customer"]["name"]) == (2, "Customer 2")

        # when it is taken up
        erasure: Document = {"_id": f"{customer_id}.1", "identity": customer_id, "number": 1}
        erasure |= {"workspace": world.workspace_id, "member": dima, "at": datetime.now(UTC)}
        await database[ERASURES].insert_one({**erasure, "stage": "begun", "conversations": []})

        # then the thread is told of what is left
        await world.seen(dima, conversation_id, lambda view: view["version"] == 3)
        query = {"tab": "new", "funnel": "desire"}
        page = await done(await world.call(dima, "GET", "/v1/conversations", query=query))
        assert [one["conversation_id"] for one in page["items"]] == [conversation_id]
        told = [
            one.body
            for one in await world.events(8)
            if one.subject == conversation_id and isinstance(one.body, CustomerKnown)
        ]
        assert [(one.name, one.card) for one in told] == [(None, Card())]
