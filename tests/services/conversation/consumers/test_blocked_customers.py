"""A blocked customer's messages are kept, open no case and are told to nobody."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from libs.events.conversation.case import CaseOpened
from libs.events.conversation.message import EditWithheld, MessageReceived, MessageWithheld
from tests.support.conversation.steps import a_case, customer_of, deleted, done, of_customer, tell
from tests.support.conversation.world import World
from tests.support.eventually import eventually

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


async def block_of(world: World, member_id: str, *threads: str) -> set[bool]:
    """Whether their customers are blocked, as the cards say it."""
    answers = [
        await world.call(member_id, "GET", f"/v1/customers/{customer_of(world, thread)}")
        for thread in threads
    ]
    return {answer.body.get("blocked") is not None for answer in answers}


async def is_withheld(world: World, member_id: str, thread: str, number: int) -> bool:
    """What becomes of the next message of the thread."""
    before = await world.seen(member_id, world.conversation_id(thread))
    await world.receive(world.inbound(thread, number))
    await world.seen(
        member_id,
        world.conversation_id(thread),
        lambda view: view["version"] > before["version"],
    )
    items = (await world.timeline(member_id, world.conversation_id(thread)))["items"]
    newest = next(item for item in items if item["kind"] == "message")
    assert newest["content"]["text"] == f"message {number}"
    return bool(newest.get("withheld"))


async def told(world: World, member_id: str, thread: str, *, blocked: bool) -> None:
    """That the conversation knows of it."""
    keys = ("customer-blocked", "customer-unblocked")

    async def is_told() -> bool:
        said = [k for k in await system_keys(world, member_id, thread) if k in keys]
        return bool(said) and (said[0] == keys[0]) == blocked

    await eventually(is_told)


@pytest.mark.parametrize("blocked_first", [True, False], ids=["the merged one", "the other"])
async def test_a_block_holds_for_whoever_is_merged(served: World, blocked_first: bool) -> None:
    dima = await served.member("Dima")
    paths = {thread: await a_case(served, dima, thread) for thread in ("1", "2")}
    blocked, free = ("2", "1") if blocked_first else ("1", "2")
    await done(await served.call(dima, "POST", f"{paths[blocked]}/block"))
    await told(served, dima, blocked, blocked=True)

    # when the second becomes an identity of the first
    merge = {"customer_id": customer_of(served, "2")}
    merged = await done(await served.call(dima, "POST", f"{paths['1']}/merge", merge))

    # then all of the person is withheld
    assert merged["blocked"]["member_id"] == dima
    assert await block_of(served, dima, "1", "2") == {True}
    await told(served, dima, free, blocked=True)
    for thread in ("1", "2"):
        assert await is_withheld(served, dima, thread, 2)

    # a split lifts nothing, and who was free is so again
    await done(await served.call(dima, "POST", f"{paths['1']}/split", merge))
    await told(served, dima, free, blocked=False)
    assert await block_of(served, dima, blocked) == {True}
    assert await block_of(served, dima, free) == {False}
    assert await is_withheld(served, dima, blocked, 3)
    assert not await is_withheld(served, dima, free, 3)

    # merged once more, an unblock is of all of the person, and stays so after a split
    await done(await served.call(dima, "POST", f"{paths['1']}/merge", merge))
    await told(served, dima, free, blocked=True)
    heard = await done(await served.call(dima, "POST", f"{paths[free]}/unblock"))
    assert "blocked" not in heard
    for thread in ("1", "2"):
        await told(served, dima, thread, blocked=False)
    await done(await served.call(dima, "POST", f"{paths['1']}/split", merge))
    assert await block_of(served, dima, "1", "2") == {False}
    for thread in ("1", "2"):
        assert not await is_withheld(served, dima, thread, 4)


async def test_a_block_of_a_merged_person_goes_with_each_who_is_split_off(served: World) -> None:
    dima = await served.member("Dima")
    one, two, three = [await a_case(served, dima, thread) for thread in "123"]
    # a chain: the third of the second, the second of the first
    await done(
        await served.call(dima, "POST", f"{two}/merge", {"customer_id": customer_of(served, "3")})
    )
    second = {"customer_id": customer_of(served, "2")}
    await done(await served.call(dima, "POST", f"{one}/merge", second))
    await done(await served.call(dima, "POST", f"{three}/block", key="block"))
    await done(await served.call(dima, "POST", f"{three}/block", key="block"))
    for thread in "123":
        await told(served, dima, thread, blocked=True)
    await done(await served.call(dima, "POST", f"{one}/split", second))
    assert await block_of(served, dima, "1", "2", "3") == {True}
    await done(await served.call(dima, "POST", f"{one}/unblock"))
    assert await block_of(served, dima, "1") == {False}
    assert await block_of(served, dima, "2", "3") == {True}
    await done(await served.call(dima, "POST", f"{three}/unblock"))
    assert await block_of(served, dima, "1", "2", "3") == {False}


async def test_a_new_thread_of_a_person_blocked_as_another_is_withheld(served: World) -> None:
    dima = await served.member("Dima")
    one, _ = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    second = customer_of(served, "2")
    await done(await served.call(dima, "POST", f"/v1/customers/{second}/block"))
    await done(await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}))
    # Replicas look for the blocked each second.
    await asyncio.sleep(1.5)
    first = customer_of(served, "1")
    await served.receive(replace(served.inbound("9", 1, "spam"), customer_id=first))
    view = await served.seen(dima, served.conversation_id("9"))
    assert (view["case"]["state"], view["case"]["withheld"]) == ("done", True)
