"""A conversation with five commits, and its audit."""

from typing import Any

from tests.support.conversation.world import MANAGER, World


async def conversation_of_five(world: World, member_id: str) -> str:
    """Written, taken, answered and closed, each a commit of its own."""
    conversation_id = world.conversation_id("100")
    await world.receive(world.inbound("100", 1, "Do you deliver?"))
    await world.seen(member_id, conversation_id)
    base = f"/v1/conversations/{conversation_id}"
    await world.call(member_id, "POST", f"{base}/take")
    await world.call(member_id, "POST", f"{base}/messages", {"content": {"text": "We do"}})
    await world.call(member_id, "POST", f"{base}/close")
    return conversation_id


async def audit(world: World, member_id: str, conversation_id: str, **query: str) -> Any:
    path = f"/v1/conversations/{conversation_id}/audit"
    answer = await world.call(member_id, "GET", path, query=query, actions=MANAGER)
    assert answer.status == 200, answer
    return answer.body
