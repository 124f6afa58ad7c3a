"""Where a customer's photo is to be looked for."""

import pytest

from libs.events.actions import Action
from libs.events.directory import Role
from tests.support.conversation.steps import a_case, customer_of, done
from tests.support.conversation.world import World

pytestmark = pytest.mark.servers


async def test_a_photo_is_looked_for_where_the_person_writes(served: World) -> None:
    dima = await served.member("Dima")
    owner = await served.member("Owner", Role.OWNER)
    one, other = await a_case(served, dima, "1"), await a_case(served, dima, "2")
    second = customer_of(served, "2")
    await done(await served.call(dima, "POST", f"{one}/merge", {"customer_id": second}))

    async def threads(path: str) -> list[str]:
        asked = await done(await served.call(dima, "GET", f"{path}/photo-places"))
        for place in asked["places"]:
            assert (place["source_id"], place["channel"]) == (served.source_id, "telegram")
        return [place["thread"] for place in asked["places"]]

    # First as who was asked for.
    assert (await threads(one), await threads(other)) == (["1", "2"], ["2", "1"])

    # Of who was forgotten nobody knows where they write, until they do.
    erased = await served.call(owner, "POST", f"{one}/erase", actions=frozenset(Action))
    await done(erased)
    assert await threads(one) == []
    await served.receive(served.inbound("2", 2, "hello again"))
    await served.seen(dima, served.conversation_id("2"), lambda v: v["customer"]["name"] != "")
    assert await threads(one) == ["2"]
