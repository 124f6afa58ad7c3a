"""What is deleted on the platform is gone for the team too, once, whoever wrote it."""

import pytest

from libs.events.conversation.message import MessageDeleted
from tests.support.conversation.steps import a_sent_message, deleted, shown, tell
from tests.support.conversation.world import World
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def found(world: World, member_id: str, word: str) -> list[str]:
    page = await world.call(member_id, "GET", f"/v1/conversations?tab=all&q={word}")
    assert page.status == 200, page.raw
    return [item["conversation_id"] for item in page.body["items"]]


async def traces(world: World, member_id: str, conversation_id: str) -> list[str]:
    items = (await world.timeline(member_id, conversation_id))["items"]
    return [item["text"] for item in items if item.get("key") == "message-deleted"]


async def test_a_customers_message_is_gone_from_timeline_list_and_search(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id = served.conversation_id("1")
    message_id = served.inbound("1", 1).message_id
    await served.receive(served.inbound("1", 1, "wallaby"))
    await served.seen(dima, conversation_id)

    async def is_found() -> bool:
        return await found(served, dima, "wallaby") == [conversation_id]

    await eventually(is_found)
    await tell(served, deleted(served, "1", "1"), deleted(served, "1", "1"))
    await served.seen(dima, conversation_id, lambda v: v["version"] == 3)

    message = await shown(served, dima, conversation_id, message_id)
    assert message["deleted_at"]
    assert "deleted_by" not in message
    assert message["content"] == {}
    view = (await served.call(dima, "GET", f"/v1/conversations/{conversation_id}")).body
    assert view["last_message"].get("preview", "") == ""

    async def is_not_found() -> bool:
        return await found(served, dima, "wallaby") == []

    await eventually(is_not_found)
    await tell(served, deleted(served, "1", "1"))
    await served.receive(served.inbound("1", 2, "still here"))
    await served.seen(dima, conversation_id, lambda v: v["version"] == 4)
    assert await traces(served, dima, conversation_id) == ["A message was deleted on the channel"]
    events = [one.body for one in await served.events(4) if isinstance(one.body, MessageDeleted)]
    assert [(one.message_id, one.direction, one.member_id) for one in events] == [
        (message_id, "incoming", None)
    ]


async def test_a_message_and_its_deletion_in_one_batch(served: World) -> None:
    dima = await served.member("Dima")
    message = served.inbound("1", 1, "oops")
    gone = deleted(served, "1", "1")
    await served.publish_all(
        [(message, message.conversation_id), (gone, gone.conversation_id)],
    )

    await served.seen(dima, message.conversation_id, lambda v: v["version"] == 3)
    item = await shown(served, dima, message.conversation_id, message.message_id)
    assert item["content"] == {}


async def test_a_message_of_the_teams_is_found_by_the_platforms_id(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id, message_id = await a_sent_message(served, dima)
    await tell(served, deleted(served, "1", "77"))

    async def is_deleted() -> bool:
        return "deleted_at" in await shown(served, dima, conversation_id, message_id)

    await eventually(is_deleted)
    message = await shown(served, dima, conversation_id, message_id)
    assert "deleted_by" not in message
    assert message["content"] == {}


async def test_what_the_team_took_back_itself_is_not_deleted_again(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id, message_id = await a_sent_message(served, dima)
    path = f"/v1/conversations/{conversation_id}/messages/{message_id}"
    await served.call(dima, "DELETE", path)

    await tell(served, deleted(served, "1", "77"))
    await served.receive(served.inbound("1", 9, "and then"))

    await served.seen(
        dima, conversation_id, lambda v: v["last_message"].get("preview") == "and then"
    )
    message = await shown(served, dima, conversation_id, message_id)
    assert (message["deleted_by"], message["content"]["text"]) == (dima, "Helo")
    assert await traces(served, dima, conversation_id) == ["Dima deletes a message"]


async def test_in_a_thread_never_seen_it_is_nothing(served: World) -> None:
    dima = await served.member("Dima")
    await tell(served, deleted(served, "unknown", "1"))
    await served.receive(served.inbound("1", 1))

    await served.seen(dima, served.conversation_id("1"), lambda v: v["version"] == 2)
    unknown = served.conversation_id("unknown")
    assert (await served.call(dima, "GET", f"/v1/conversations/{unknown}")).status == 404
