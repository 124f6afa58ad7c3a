"""With an autoforward rule a case waits unseen until routing decides or time is up."""

import pytest

from libs.events.conversation.case import CaseRouted
from services.conversation.settings import ConversationSettings
from tests.support.conversation.world import World, serving, settings_of, world_of

pytestmark = pytest.mark.servers


async def test_a_decided_case_is_seen_by_its_group_only(served: World) -> None:
    olena, dima = await served.member("Olena"), await served.member("Dima")
    group_id = await served.autoforward(olena)
    await served.settled()
    conversation_id = served.conversation_id("1")
    await served.receive(served.inbound("1", 1))
    await served.events(2)
    assert (await served.view(olena, conversation_id)).status == 404

    await served.route(conversation_id, f"{conversation_id}.1", group_id)
    await served.route(conversation_id, f"{conversation_id}.1", group_id)
    view = await served.seen(olena, conversation_id)
    assert (view["case"]["state"], view["case"]["group_id"]) == ("new", group_id)
    assert (await served.view(dima, conversation_id)).status == 404
    page = await served.call(dima, "GET", "/v1/conversations", query={"tab": "all"})
    assert page.body["items"] == []
    routed = [e.body for e in await served.events(3) if isinstance(e.body, CaseRouted)]
    assert [one.reason for one in routed] == ["autoforward"]
    assert routed[0].audience_before is None


async def test_a_case_that_routing_forgot_is_shown_in_new(
    kafka_bootstrap: str, own_namespace: str, mongodb_url: str, mongodb_name: str
) -> None:
    settings: ConversationSettings = settings_of(
        kafka_bootstrap,
        own_namespace,
        mongodb_url,
        mongodb_name,
        PARLEY_CONVERSATION_ROUTING_TIMEOUT_SECONDS="0.5",
    )
    async with world_of(settings) as world:
        dima = await world.member("Dima")
        await world.autoforward("mem_other")
        async with serving(world):
            await world.receive(world.inbound("1", 1))
            view = await world.seen(dima, world.conversation_id("1"))
            assert view["case"]["state"] == "new"
            assert "group_id" not in view["case"]
            routed = [e.body for e in await world.events(3) if isinstance(e.body, CaseRouted)]
            assert [one.reason for one in routed] == ["undecided"]
