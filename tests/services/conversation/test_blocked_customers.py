"""A blocked customer's messages are kept, open no case and are told to nobody."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from libs.events.conversation import CaseOpened, MessageReceived
from libs.events.withholding import EditWithheld, MessageWithheld
from tests.services.conversation.test_corrections import of_customer
from tests.services.conversation.test_customers import a_case, customer_of, done
from tests.services.conversation.test_deleted_elsewhere import deleted, tell
from tests.services.conversation.world import World, eventually

pytestmark = pytest.mark.servers


async def system_keys(world: World, member_id: str, thread: str) -> list[str]:
    items = (await world.timeline(member_id, world.conversation_id(thread)))["items"]
    return [i["key"] for i in items if i["kind"] == "system"]


async def test_what_a_blocked_customer_writes_is_kept_and_nobody_is_told(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")
    conversation_id = served.conversation_id("1")
    await done(await served.call(dima, "POST", f"/v1/conversations/{conversation_id}/close"))

    known = await done(await served.call(dima, "POST", f"{path}/block"))
    assert known["blocked"]["member_id"] == dima
    closed = await served.seen(dima, conversation_id, lambda view: view["version"] == 5)
    await served.receive(served.inbound("1", 2, "let me in"))
    view = await served.seen(dima, conversation_id, lambda view: view["version"] == 6)

    assert view["case"] == closed["case"]
    items = (await served.timeline(dima, conversation_id))["items"]
    assert (items[0]["content"]["text"], items[0]["withheld"]) == ("let me in", True)
    told = [envelope.body for envelope in await served.events(6)]
    assert isinstance(told[-1], MessageWithheld)
    assert [type(body) for body in told].count(MessageReceived) == 1

    await done(await served.call(dima, "POST", f"{path}/unblock"))
    await served.seen(dima, conversation_id, lambda view: view["version"] == 7)
    await served.receive(served.inbound("1", 3, "sorry"))
    await served.seen(dima, conversation_id, lambda view: view["case"]["state"] == "new")
    assert await system_keys(served, dima, "1") == [
        "case-opened",
        "customer-unblocked",
        "customer-blocked",
        "case-closed",
        "case-taken",
        "case-opened",
    ]


async def test_what_a_blocked_customer_edits_stands_beside_what_was_heard(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")
    conversation_id = served.conversation_id("1")

    async def shown() -> Any:
        items = (await served.timeline(dima, conversation_id))["items"]
        return next(item for item in items if item["kind"] == "message")

    heard = await shown()
    # given a customer who was blocked after they wrote
    await done(await served.call(dima, "POST", f"{path}/block"))
    blocked = await served.seen(dima, conversation_id, lambda view: view["version"] == 4)
    # when they edit it
    await served.receive(served.inbound("1", 1, "pumpkin", kind="edit"))
    after = await served.seen(dima, conversation_id, lambda view: view["version"] == 5)

    # then what was heard stands, in the list and in the timeline, with the edit beside it
    assert (after["case"], after["last_message"]) == (blocked["case"], blocked["last_message"])
    item = await shown()
    assert item["withheld_edit"]["content"] == {"text": "pumpkin"}
    del item["withheld_edit"]
    assert item == heard
    assert isinstance((await served.events(5))[-1].body, EditWithheld)
    # and the customer sees what they wrote
    assert await of_customer(served, conversation_id) == {heard["id"]: "pumpkin"}

    # Unblocked, they are heard again; nothing is searched that was not.
    await done(await served.call(dima, "POST", f"{path}/unblock"))
    await served.seen(dima, conversation_id, lambda view: view["version"] == 6)
    await served.receive(served.inbound("1", 1, "marrow", kind="edit"))
    await served.seen(dima, conversation_id, lambda v: v["last_message"]["preview"] == "marrow")
    item = await shown()
    assert (item["content"]["text"], "withheld_edit" in item) == ("marrow", False)

    async def finds(word: str) -> bool:
        page = await served.call(dima, "GET", "/v1/conversations", query={"q": word})
        return bool(page.body["items"])

    await eventually(lambda: finds("marrow"))
    assert not await finds("pumpkin")

    # What they delete is gone at once, blocked or not.
    await done(await served.call(dima, "POST", f"{path}/block"))
    await served.seen(dima, conversation_id, lambda view: view["version"] == 8)
    await served.receive(served.inbound("1", 1, "leek", kind="edit"))
    await tell(served, deleted(served, "1", "1"))
    await served.seen(dima, conversation_id, lambda v: "preview" not in v["last_message"])
    item = await shown()
    assert ("deleted_at" in item, item["content"], "withheld_edit" in item) == (True, {}, False)


async def test_a_block_holds_for_all_identities_and_follows_merge_and_split(
    served: World,
) -> None:
    dima = await served.member("Dima")
    one, _ = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    second = customer_of(served, "2")
    conversation_id = served.conversation_id("2")
    await done(await served.call(dima, "POST", f"{one}/block"))

    await done(await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}))
    await served.seen(dima, conversation_id, lambda view: view["version"] == 5)
    keys = await system_keys(served, dima, "2")
    assert keys[:2] == ["customer-blocked", "customer-known"]

    await done(await served.call(dima, "POST", f"{one}/split", {"customer_id": second}))
    await served.seen(dima, conversation_id, lambda view: view["version"] == 7)
    keys = await system_keys(served, dima, "2")
    assert keys[:2] == ["customer-unblocked", "customer-known"]


async def test_a_new_thread_of_a_blocked_customer_opens_no_case(served: World) -> None:
    dima = await served.member("Dima")
    path = await a_case(served, dima, "1")
    await done(await served.call(dima, "POST", f"{path}/block"))
    await served.seen(dima, served.conversation_id("1"), lambda view: view["version"] == 4)

    # Replicas look for the blocked each second.
    await asyncio.sleep(1.5)
    customer_id = customer_of(served, "1")
    # Another thread of the same sender: a comment, say.
    await served.receive(replace(served.inbound("2", 1, "spam"), customer_id=customer_id))

    view = await served.seen(dima, served.conversation_id("2"))
    assert (view["case"]["state"], view["case"]["withheld"]) == ("done", True)
    told = [envelope.body for envelope in await served.events(5)]
    assert [type(body) for body in told].count(CaseOpened) == 1

    # and it is found by whose it is, as it is once the search was rebuilt
    async def is_found() -> bool:
        query = {"q": "Customer", "tab": "done"}
        page = await served.call(dima, "GET", "/v1/conversations", query=query)
        items = page.body["items"]
        return served.conversation_id("2") in [one["conversation_id"] for one in items]

    await eventually(is_found)
