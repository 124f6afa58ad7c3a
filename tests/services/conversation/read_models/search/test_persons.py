"""Persons are found by all that is known of them: merged and split, erased and back again."""

from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.actions import Action
from libs.events.content import Sender
from libs.events.directory import Choice, FieldState, Role
from libs.events.ids import random_id
from libs.runtime.mongo import Document
from services.conversation.read_models.rebuild.rebuild import rebuild
from services.conversation.read_models.rebuild.registry import read_models
from services.conversation.read_models.search.index import SEARCH
from tests.support.conversation.steps import a_case, customer_of, done
from tests.support.conversation.world import DEPLOYMENT_KEY, MANAGER, World
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

CARD = {
    "name": "Ада Лавлейс",
    "phone": "+380501234568",
    "email": "ada@lovelace.example",
    "external_id": "CRM-90210",
    "country": "Великобритания",
    "city": "Полтава",
    "address": "Соборная 12",
    "note": "любит кофеварки",
    "mark": "тролль",
    "tags": ["vip"],
}
BY_CARD = (
    *("лавлейс", "050 123 45 68", "4568", "ada@lovelace.example", "lovelace", "CRM-90210", "90210"),
    *("великобритания", "полтаве", "соборная", "кофеварку", "тролль", "трол", "vip"),
)


async def finds(world: World, member_id: str, query: str, *threads: str) -> None:
    """That the query finds these in the end, and nothing else."""
    expected = {world.conversation_id(thread) for thread in threads}
    found: set[str] = set()

    async def right() -> bool:
        nonlocal found
        answer = await world.call(member_id, "GET", "/v1/conversations", query={"q": query})
        # Before the directory has told of the member there are none.
        found = {item["conversation_id"] for item in answer.body.get("items", ())}
        return found == expected

    try:
        await eventually(right, within_seconds=10)
    except TimeoutError:
        pytest.fail(f"{query!r} finds {found}, not {expected}")


async def test_all_that_stands_on_a_card_is_found(served: World) -> None:
    dima = await served.member("Dima")
    field_id, amount = random_id("fld"), random_id("fld")
    await served.directory(
        FieldState(field_id=field_id, applies_to="customer", name="Contract", kind="text"),
        FieldState(field_id=amount, applies_to="customer", name="Amount", kind="number"),
    )
    path = await a_case(served, dima, "1")
    await a_case(served, dima, "2")
    card = {**CARD, "fields": {field_id: "договор A-1045", amount: 77123}}
    await done(await served.call(dima, "PATCH", path, card))
    for query in (*BY_CARD, "A-1045", "договоры", "77123"):
        await finds(served, dima, query, "1")
    # what is taken off the card is found no more
    await done(await served.call(dima, "PATCH", path, {"phone": None, "mark": None}))
    await finds(served, dima, "4568")
    await finds(served, dima, "тролль")
    await finds(served, dima, "полтава", "1")


async def test_fields_of_a_case_are_found(served: World) -> None:
    dima = await served.member("Dima")
    field_id, choice = random_id("fld"), random_id("fld")
    await served.directory(
        FieldState(field_id=field_id, applies_to="case", name="Order", kind="text"),
        FieldState(
            field_id=choice,
            applies_to="case",
            name="Size",
            kind="choice",
            choices=(Choice(choice_id="cho_1", name="Big"),),
        ),
    )
    await a_case(served, dima, "1")
    path = f"/v1/conversations/{served.conversation_id('1')}/fields"
    body = {"values": {field_id: "ORD-55501", choice: "cho_1"}}
    await done(await served.call(dima, "POST", path, body))
    await finds(served, dima, "55501", "1")


async def test_a_merged_person_is_found_by_all_that_either_had(served: World) -> None:
    dima = await served.member("Dima")
    one, other = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    second = customer_of(served, "2")
    mine = {
        "name": "Grace",
        "phone": "+380671112233",
        "email": "g@hopper.example",
        "mark": "admiral",
    }
    await done(await served.call(dima, "PATCH", one, mine))
    await done(await served.call(dima, "PATCH", other, CARD))
    for query in BY_CARD:
        await finds(served, dima, query, "2")

    await done(await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}))
    for query in (*BY_CARD, "067 111 22 33", "g@hopper.example", "admiral", "grace"):
        await finds(served, dima, query, "1", "2")

    # also in a thread that begins when they are one
    await served.receive(replace(served.inbound("3", 1), customer_id=second))
    for query in ("4568", "admiral"):
        await finds(served, dima, query, "1", "2", "3")

    await done(await served.call(dima, "POST", f"{one}/split", {"customer_id": second}))
    for query in BY_CARD:
        await finds(served, dima, query, "2", "3")
    for query in ("067 111 22 33", "g@hopper.example", "admiral"):
        await finds(served, dima, query, "1")


async def test_a_rebuild_finds_merged_persons_too(
    served: World, database: AsyncDatabase[Document]
) -> None:
    dima = await served.member("Dima")
    one, other = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    await done(await served.call(dima, "PATCH", other, CARD))
    merge = {"customer_id": customer_of(served, "2")}
    await done(await served.call(dima, "POST", f"{one}/merge", merge))
    await finds(served, dima, "полтава", "1", "2")
    await database[SEARCH].delete_many({"c": served.conversation_id("1")})
    await rebuild(database, DEPLOYMENT_KEY, read_models(DEPLOYMENT_KEY)["search"]())
    await finds(served, dima, "полтава", "1", "2")


def called(world: World, thread: str, number: int, username: str) -> Any:
    message = world.inbound(thread, number)
    sender = Sender(external_id=thread, name=f"Customer {thread}", username=username)
    return replace(message, sender=sender)


async def test_a_person_is_found_by_what_the_platform_calls_them(served: World) -> None:
    dima = await served.member("Dima")
    await served.receive(
        called(served, "1", 1, "Ivan_Petrov"), called(served, "2", 1, "visitor@shop.example")
    )
    for query in ("@ivan_petrov", "ivan_petrov", "@ivan_p", "Petrov", "@Ivan"):
        await finds(served, dima, query, "1")
    for query in ("visitor@shop.example", "visitor", "visitor@shop"):
        await finds(served, dima, query, "2")
    # by the newest alone
    await served.receive(called(served, "1", 2, "ivan2026"))
    await finds(served, dima, "@ivan2026", "1")
    await finds(served, dima, "@ivan_petrov")


async def test_who_comes_back_after_an_erasure_is_found_again(served: World) -> None:
    owner = await served.member("Oleh", Role.OWNER)
    path = await a_case(served, owner, "1")
    await served.receive(called(served, "1", 2, "ada_l"))
    await done(await served.call(owner, "PATCH", path, {**CARD, "name": None}))
    for query in ("Customer", "@ada_l", "4568"):
        await finds(served, owner, query, "1")
    number = (await served.view(owner, served.conversation_id("1"))).body["case"]["short_number"]

    erasing = MANAGER | {Action.ERASE}
    await done(await served.call(owner, "POST", f"{path}/erase", actions=erasing))
    for query in ("Customer", "@ada_l", "4568", "полтава"):
        await finds(served, owner, query)
    await finds(served, owner, f"#{number}", "1")

    await served.receive(called(served, "1", 3, "ada_l"))
    for query in ("Customer", "@ada_l"):
        await finds(served, owner, query, "1")
    await finds(served, owner, "4568")
    await done(await served.call(owner, "PATCH", path, {"phone": "0631110022"}))
    await finds(served, owner, "+380 63 111 00 22", "1")


async def test_every_case_of_a_conversation_is_found_by_its_number(served: World) -> None:
    dima = await served.member("Dima", Role.OWNER)
    conversation_id = served.conversation_id("1")
    numbers = []
    for number in range(1, 4):
        await served.receive(served.inbound("1", number))
        view = await served.seen(dima, conversation_id, lambda view: view["case"]["state"] == "new")
        numbers.append(view["case"]["short_number"])
        path = f"/v1/conversations/{conversation_id}"
        await done(await served.call(dima, "POST", f"{path}/take"))
        await done(await served.call(dima, "POST", f"{path}/close"))
    assert len(set(numbers)) == 3
    for number in numbers:
        await finds(served, dima, f"#{number}", "1")
        await finds(served, dima, f"№{number}", "1")


async def test_words_that_all_texts_have_are_told_apart(served: World) -> None:
    dima = await served.member("Dima")
    await served.receive(served.inbound("1", 1, "где мой заказ"))
    await finds(served, dima, "заказ", "1")
    common = await served.call(dima, "GET", "/v1/conversations", query={"q": "где мой"})
    assert (common.body["items"], common.body["common_words"]) == ([], True)
    telling = await served.call(dima, "GET", "/v1/conversations", query={"q": "где заказ"})
    assert "common_words" not in telling.body
