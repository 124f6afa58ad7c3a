"""The inbox's tabs and pages: complete, in order, and only what a member may see."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from libs.events.directory import Role
from libs.events.ids import random_id
from tests.support.conversation.world import World

pytestmark = pytest.mark.servers


async def tab(world: World, member_id: str, name: str, limit: int = 50) -> list[str]:
    """The ids of all pages of a tab."""
    shown: list[str] = []
    cursor = None
    while True:
        query = {"tab": name, "limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = await world.call(member_id, "GET", "/v1/conversations", query=query)
        assert page.status == 200, page
        shown += [item["conversation_id"] for item in page.body["items"]]
        cursor = page.body.get("next")
        if cursor is None:
            return shown


async def received(world: World, threads: list[str], spread: timedelta = timedelta(0)) -> list[str]:
    """The ids of new conversations, each ``spread`` older than the one before it."""
    now = datetime.now(UTC)
    await world.receive(
        *(world.inbound(t, 1, at=now - number * spread) for number, t in enumerate(threads))
    )
    await world.events(2 * len(threads))
    return [world.conversation_id(thread) for thread in threads]


async def test_pages_are_in_order_and_complete_however_the_rows_lie_in_time(
    served: World,
) -> None:
    dima = await served.member("Dima", Role.OWNER)
    # some within one millisecond, some over years
    dense = await received(served, [str(n) for n in range(40)])
    now = datetime.now(UTC)
    await served.receive(
        *(served.inbound(f"old{n}", 1, at=now - timedelta(days=3**n)) for n in range(8))
    )
    await served.events(96)
    old = [served.conversation_id(f"old{n}") for n in range(8)]
    for limit in (1, 7, 50):
        shown = await tab(served, dima, "new", limit)
        assert len(shown) == len(set(shown)) == 48
        assert set(shown[:40]) == set(dense)
        assert shown[40:] == old
    assert await tab(served, dima, "all", 7) == await tab(served, dima, "new", 50)


async def test_who_pages_while_rows_move_meets_each_that_stands_still_once(
    served: World,
) -> None:
    dima = await served.member("Dima", Role.OWNER)
    ids = await received(served, [str(n) for n in range(60)], timedelta(minutes=1))
    moving = [str(n) for n in range(0, 60, 3)]
    still = {served.conversation_id(str(n)) for n in range(60)} - {
        served.conversation_id(thread) for thread in moving
    }

    async def move() -> None:
        for number, thread in enumerate(moving):
            await served.receive(served.inbound(thread, 100 + number))
            await asyncio.sleep(0.01)

    moves = asyncio.create_task(move())
    shown = await tab(served, dima, "new", 5)
    await moves
    assert len(shown) == len(set(shown))
    assert [one for one in shown if one in still] == [one for one in ids if one in still]


async def test_a_repeated_parameter_means_any_of_its_values(served: World) -> None:
    dima = await served.member("Dima")
    first, second, third = await received(served, ["1", "2", "3"], timedelta(minutes=1))
    for conversation_id, tag in ((first, "vip"), (second, "late"), (third, "other")):
        path = f"/v1/conversations/{conversation_id}"
        assert (await served.call(dima, "POST", f"{path}/take")).status == 200
        marked = await served.call(dima, "POST", f"{path}/tags", {"add": [tag]})
        assert marked.status == 200, marked

    async def listed(query: str) -> list[str]:
        answer = await served.call(dima, "GET", f"/v1/conversations?{query}")
        assert answer.status == 200, answer
        return [row["conversation_id"] for row in answer.body["items"]]

    assert sorted(await listed("tag=vip&tag=LATE")) == sorted([first, second])
    assert await listed("tag=vip&channel=widget&channel=telegram") == [first]
    assert await listed("tag=vip&tag=late&priority=high") == []
    assert len(await listed("channel=widget&channel=telegram&priority=none&priority=low")) == 3
    # A page goes on with the same values, and with no others.
    page = await served.call(dima, "GET", "/v1/conversations?tag=vip&tag=late&limit=1")
    more = f"limit=1&cursor={page.body['next']}"
    rest = await listed(f"tag=vip&tag=late&{more}")
    assert sorted([page.body["items"][0]["conversation_id"], *rest]) == sorted([first, second])
    other = await served.call(dima, "GET", f"/v1/conversations?tag=vip&{more}")
    assert (other.status, other.body["errors"][0]["field"]) == (422, "cursor")


async def test_each_tab_has_its_own(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    new, mine, theirs, done = await received(served, ["n", "m", "t", "d"], timedelta(minutes=1))
    for member_id, conversation_id in ((dima, mine), (olena, theirs), (dima, done)):
        path = f"/v1/conversations/{conversation_id}"
        assert (await served.call(member_id, "POST", f"{path}/take")).status == 200
    assert (await served.call(dima, "POST", f"/v1/conversations/{done}/close")).status == 200
    # a command's effect is in the lists at once
    assert await tab(served, dima, "new") == [new]
    assert await tab(served, dima, "mine") == [mine]
    assert await tab(served, dima, "others") == [theirs]
    assert await tab(served, dima, "done") == [done]
    assert await tab(served, dima, "all") == [done, new, mine, theirs]


async def test_a_member_sees_their_locations_and_groups_and_what_they_are_part_of(
    served: World,
) -> None:
    olena, dima = await served.member("Olena"), await served.member("Dima")
    elsewhere = await served.member("Elsewhere", location_ids=(random_id("loc"),))
    group_id = await served.autoforward(olena)
    await served.settled()
    [conversation_id] = await received(served, ["1"])
    await served.route(conversation_id, f"{conversation_id}.1", group_id)
    await served.events(3)
    assert await tab(served, olena, "new") == [conversation_id]
    assert await tab(served, dima, "new") == []
    assert await tab(served, elsewhere, "all") == []
    path = f"/v1/conversations/{conversation_id}/take"
    assert (await served.call(dima, "POST", path)).status == 404
    assert (await served.call(olena, "POST", path)).status == 200
    assert await tab(served, dima, "others") == []


@pytest.mark.parametrize(
    "query", [{"tab": "spam"}, {"limit": "0"}, {"limit": "9999"}, {"cursor": "???"}]
)
async def test_a_wrong_question_is_refused_by_naming_it(
    served: World, query: dict[str, str]
) -> None:
    dima = await served.member("Dima")
    await served.settled()
    answer = await served.call(dima, "GET", "/v1/conversations", query=query)
    assert answer.status == 422
    [problem] = answer.body["errors"]
    assert next(iter(query)) in problem["field"]
