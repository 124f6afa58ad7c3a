"""Read all: confirmed, for what the member sees, and never what they have not seen."""

from typing import Any

import pytest

from libs.events.ids import random_id
from services.conversation.commands import reading
from tests.support.conversation.world import World
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def many(world: World, member_id: str, number: int) -> None:
    """So many new conversations, all unread."""
    await world.settled()
    await world.receive(*(world.inbound(str(n), 1) for n in range(number)))

    async def are_there() -> bool:
        return await unread(world, member_id) == number

    await eventually(are_there)


async def unread(world: World, member_id: str) -> int:
    query = {"tab": "unread", "limit": "100"}
    page = await world.call(member_id, "GET", "/v1/conversations", query=query)
    return len(page.body["items"])


async def read_all(world: World, member_id: str, key: str | None = None, **body: Any) -> Any:
    body = {"confirm": True, **body}
    path = "/v1/conversations/read-all"
    answer = await world.call(member_id, "POST", path, body, key=key)
    assert answer.status == 200, answer
    return answer.body


async def test_everything_unread_is_marked_read_once(served: World) -> None:
    dima = await served.member("Dima")
    await many(served, dima, 7)
    first = await read_all(served, dima, "all")
    assert (first, await unread(served, dima)) == ({"read": 7}, 0)
    await served.receive(served.inbound("3", 2))
    await served.seen(dima, served.conversation_id("3"), lambda v: v["case"].get("unread", False))
    assert await read_all(served, dima, "all") == first
    assert await unread(served, dima) == 1


async def test_only_the_tab_that_was_asked_for(served: World) -> None:
    dima = await served.member("Dima")
    await many(served, dima, 3)
    path = f"/v1/conversations/{served.conversation_id('1')}/take"
    assert (await served.call(dima, "POST", path)).status == 200
    assert await read_all(served, dima, tab="mine") == {"read": 1}
    assert await unread(served, dima) == 2


async def test_what_is_more_than_one_request_does_is_said(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AT_MOST", 4)
    monkeypatch.setattr(reading, "_BATCH", 3)
    dima = await served.member("Dima")
    await many(served, dima, 5)
    assert await read_all(served, dima) == {"read": 4, "more": True}
    assert await read_all(served, dima) == {"read": 1}


async def test_what_may_not_be_seen_stays_unread(served: World) -> None:
    dima = await served.member("Dima")
    stranger = await served.member("Stranger", location_ids=(random_id("loc"),))
    await many(served, dima, 2)
    assert await read_all(served, stranger) == {"read": 0}
    assert await unread(served, dima) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "confirm"),
        ({"confirm": False}, "confirm"),
        ({"confirm": True, "tab": "nonsense"}, "tab"),
        ({"confirm": True, "since": 1}, "since"),
    ],
)
async def test_it_has_to_be_confirmed(served: World, body: object, field: str) -> None:
    dima = await served.member("Dima")
    await served.settled()
    answer = await served.call(dima, "POST", "/v1/conversations/read-all", body)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)
