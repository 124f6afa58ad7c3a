"""Whoever is deactivated keeps nobody from an open case."""

import asyncio
from itertools import batched
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.actions import Action
from libs.events.conversation.case import MemberGone
from libs.events.directory import MemberState, Role
from libs.runtime.mongo import Document
from services.conversation.commands import assignment
from services.conversation.consumers import departures
from tests.support.conversation.world import AGENT, MANAGER, World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

ALL = frozenset(Action)


async def a_case_of(world: World, member_id: str, thread: str) -> str:
    await world.receive(world.inbound(thread, 1))
    conversation_id = world.conversation_id(thread)
    await world.seen(member_id, conversation_id)
    path = f"/v1/conversations/{conversation_id}"
    assert (await world.call(member_id, "POST", f"{path}/take")).status == 200
    return path


async def deactivate(world: World, member_id: str, name: str, *, active: bool = False) -> None:
    await world.directory(
        MemberState(
            member_id=member_id,
            name=name,
            email=f"{name.lower()}@coffee.example",
            role=Role.OPERATOR,
            active=active,
        )
    )


def is_free(member_id: str) -> Any:
    def check(view: Any) -> bool:
        case = view["case"]
        return "offer" not in case and member_id not in (
            case.get("responsible"),
            *case.get("participants", ()),
        )

    return check


async def test_their_cases_are_new_again_and_nobody_is_kept_from_them(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena", Role.OWNER)
    own = [await a_case_of(served, dima, str(n)) for n in range(1, 4)]
    helped, offered, offering = [await a_case_of(served, olena, str(n)) for n in range(4, 7)]
    done = await a_case_of(served, dima, "7")
    to = {"member_id": dima}
    await served.call(olena, "POST", f"{helped}/participants", to, actions=ALL)
    await served.call(olena, "POST", f"{offered}/transfer", to, actions=ALL)
    ivan = await served.member("Ivan")
    await served.settled()
    await served.call(olena, "POST", f"{offering}/transfer", {"member_id": ivan}, actions=ALL)
    assert (await served.call(dima, "POST", f"{done}/close")).status == 200

    await deactivate(served, dima, "Dima")
    for path in (*own, helped, offered):
        view = await served.seen(olena, path.rpartition("/")[2], is_free(dima))
        assert view["case"]["state"] == ("new" if path in own else "active")
    assert (await served.view(olena, done.rpartition("/")[2])).body["case"]["responsible"] == dima
    # Of who offers it, who goes takes the offer along.
    await deactivate(served, olena, "Olena")
    await served.seen(ivan, offering.rpartition("/")[2], is_free(olena))

    gone = [e.body for e in await served.events(1) if isinstance(e.body, MemberGone)]
    assert sorted((one.member_id == dima, one.returned) for one in gone) == [
        *[(False, True)] * 3,
        *[(True, False)] * 2,
        *[(True, True)] * 3,
    ]
    items = (await served.timeline(ivan, own[0].rpartition("/")[2]))["items"]
    [trace] = [i["text"] for i in items if i.get("key") == "member-gone"]
    assert trace == "Dima is no active member any more: the case is in New again"
    assert (await served.call(ivan, "POST", f"{own[0]}/take")).status == 200
    # Nothing is given to who is not there; come back, they may have a case again.
    refused = await served.call(ivan, "POST", f"{own[0]}/transfer", to, actions=ALL)
    assert refused.status == 422
    await deactivate(served, dima, "Dima", active=True)
    await served.settled()
    assert (await served.call(dima, "POST", f"{own[1]}/take")).status == 200


async def test_a_case_given_while_its_member_was_going_is_new_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command saw the member there still, and was decided after their cases were freed."""
    monkeypatch.setattr(departures, "_LOOK_AGAIN_SECONDS", 0.2)
    async with serving(world):
        dima, olena = await world.member("Dima"), await world.member("Olena", Role.OWNER)
        before = await a_case_of(world, dima, "1")
        given = await a_case_of(world, olena, "2")
        await deactivate(world, dima, "Dima")
        await world.seen(olena, before.rpartition("/")[2], is_free(dima))
        seen = MemberState(
            member_id=dima, name="Dima", email="dima@coffee.example", role=Role.OPERATOR
        )
        with monkeypatch.context() as stale:
            stale.setattr(assignment, "_who_answers", lambda *_: seen)
            to = {"member_id": dima}
            answer = await world.call(olena, "POST", f"{given}/assign", to, actions=ALL)
        assert (answer.status, answer.body["case"]["responsible"]) == (200, dima)

        view = await world.seen(olena, given.rpartition("/")[2], is_free(dima))

        assert (view["case"]["state"], view["case"]["responsible_before"]) == ("new", dima)
        assert (await world.call(olena, "POST", f"{given}/take")).status == 200


async def test_who_was_deactivated_while_nothing_ran_is_found_at_the_start(
    world: World, database: AsyncDatabase[Document]
) -> None:
    async with serving(world):
        dima, olena = await world.member("Dima"), await world.member("Olena")
        ids = [world.conversation_id(str(n)) for n in range(230)]
        await world.receive(*(world.inbound(str(n), 1) for n in range(230)))
        await world.seen(dima, ids[-1])

        async def take(conversation_id: str) -> None:
            await world.seen(dima, conversation_id)
            answer = await world.call(dima, "POST", f"/v1/conversations/{conversation_id}/take")
            assert answer.status == 200

        for some in batched(ids, 23):
            await asyncio.gather(*(take(one) for one in some))
    await deactivate(world, dima, "Dima")
    async with serving(world):

        async def all_free() -> bool:
            theirs = {"keys": f"active/member:{dima}"}
            return not await database["conversation_inbox"].count_documents(theirs)

        await eventually(all_free)
        view = (await world.call(olena, "GET", f"/v1/conversations/{ids[0]}", actions=AGENT)).body
        assert (view["case"]["state"], view["case"]["responsible_before"]) == ("new", dima)
        taken = await world.call(olena, "POST", f"/v1/conversations/{ids[0]}/take", actions=MANAGER)
        assert taken.status == 200
