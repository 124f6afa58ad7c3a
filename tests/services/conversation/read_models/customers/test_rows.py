"""The customers' rows: what the conversations say of them, in whatever order it is written."""

import asyncio

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.mongo import Document
from services.conversation.read_models.customers.rows import CUSTOMERS, write_openings
from services.conversation.read_models.customers.sets import sets_of
from tests.support.conversation.steps import a_case, customer_of, done
from tests.support.conversation.world import World, serving

pytestmark = pytest.mark.servers


def opening(customer_id: str, conversation_id: str, number: int) -> Document:
    known = {"source": "src_1", "channel": "widget", "cases": {str(number): {"commit": number}}}
    conversations = {conversation_id: known}
    return {"_id": customer_id, "workspace": "wsp_1", "conversations": conversations}


async def test_openings_are_written_once_whoever_comes_first_and_how_often(
    database: AsyncDatabase[Document],
) -> None:
    rows = database[CUSTOMERS]
    openings = [
        opening(f"cus_{customer}", conversation, number)
        for customer in range(3)
        for conversation in ("cnv_1", "cnv_2")
        for number in (2, 1, 3)
    ]
    # Each replica writes one a customer at a time, as a batch does; two write all of it at once.
    await asyncio.gather(
        *(write_openings(rows, [one]) for one in openings),
        *(write_openings(rows, [one]) for one in reversed(openings)),
    )

    for row in await rows.find({"_id": {"$regex": "^cus_"}}).to_list():
        assert row["workspace"] == "wsp_1"
        assert {
            conversation: {number: case["commit"] for number, case in known["cases"].items()}
            for conversation, known in row["conversations"].items()
        } == {one: {"1": 1, "2": 2, "3": 3} for one in ("cnv_1", "cnv_2")}


async def test_whoever_looks_for_identities_is_answered_by_an_index(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    rows = database[CUSTOMERS]
    async with serving(world):
        one, _ = await a_case(world, dima, "1"), await a_case(world, dima, "2")
        second = customer_of(world, "2")
        await done(await world.call(dima, "POST", f"{one}/merge", {"customer_id": second}))
        await done(await world.call(dima, "POST", f"{one}/block"))

    first = customer_of(world, "1")
    sets = await sets_of(rows, world.workspace_id, [second, first])
    assert {i: (s.primary_id, set(s.rows)) for i, s in sets.items()} == {
        i: (first, {first, second}) for i in (first, second)
    }
    for asked, index in (
        ({"merged_into": {"$in": [first]}}, "merged_into"),
        ({"blocked": True}, "blocked"),
    ):
        plan = await rows.find(asked).explain()
        assert index in str(plan["queryPlanner"]["winningPlan"]), plan
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])
