"""Short numbers: unique in the workspace, whoever hands them out, and however often he stops."""

import asyncio

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.consumer import Transient
from libs.runtime.mongo import Document
from services.conversation.commands.case_numbers import COUNTERS, FIRST_BLOCK, CaseNumbers
from tests.support.conversation.world import World

pytestmark = pytest.mark.servers


async def test_processes_side_by_side_give_no_number_twice(
    database: AsyncDatabase[Document],
) -> None:
    processes = [CaseNumbers(database[COUNTERS]) for _ in range(4)]
    await processes[0].reserve({"wsp_numbers": 1})  # the counter is there

    async def hand_out(numbers: CaseNumbers) -> list[int]:
        given = []
        for wanted in (1, 3, FIRST_BLOCK, 40):
            await numbers.reserve({"wsp_numbers": wanted})
            given += [numbers.of("wsp_numbers")() for _ in range(wanted)]
        return given

    given = [one for of_one in await asyncio.gather(*map(hand_out, processes)) for one in of_one]
    assert len(set(given)) == len(given) == 4 * (1 + 3 + FIRST_BLOCK + 40)
    assert min(given) == 1


async def test_what_was_not_reserved_is_not_handed_out(database: AsyncDatabase[Document]) -> None:
    numbers = CaseNumbers(database[COUNTERS])
    with pytest.raises(Transient):
        numbers.of("wsp_unreserved")()


async def test_each_case_has_a_number_of_its_own(served: World) -> None:
    dima = await served.member("Dima")
    threads = [str(n) for n in range(20)]
    await served.receive(*(served.inbound(thread, 1) for thread in threads))
    numbers = []
    for thread in threads:
        view = await served.seen(dima, served.conversation_id(thread))
        numbers.append(view["case"]["short_number"])
    assert len(set(numbers)) == len(threads)
    assert all(number > 0 for number in numbers)

    case = f"/v1/conversations/{served.conversation_id('0')}"
    await served.call(dima, "POST", f"{case}/take")
    await served.call(dima, "POST", f"{case}/close")
    await served.receive(served.inbound("0", 2))
    next_case = await served.seen(
        dima, served.conversation_id("0"), lambda view: view["case"]["state"] == "new"
    )
    assert next_case["case"]["short_number"] not in numbers
