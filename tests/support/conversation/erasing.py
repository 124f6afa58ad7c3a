"""A person who is forgotten, and what they said before."""

from typing import Any

from libs.events.actions import Action
from libs.events.content import Attachment, Content
from tests.support.conversation.world import (
    MANAGER,
    World,
)

ADA = "271828182"


OWNER = MANAGER | {Action.ERASE}


EVERYTHING = frozenset(Action)


async def erase(world: World, member_id: str, thread: str = ADA, key: str | None = None) -> Any:
    customer_id = world.id_key.customer(world.source_id, thread)
    answer = await world.call(
        member_id, "POST", f"/v1/customers/{customer_id}/erase", key=key, actions=OWNER
    )
    assert answer.status == 200, answer
    return answer.body


async def a_conversation(world: World, dima: str) -> str:
    """Ada writes, is answered, edits; there is a note. Versions 1 to 6."""
    conversation_id = world.conversation_id(ADA)
    path = f"/v1/conversations/{conversation_id}"
    picture = Attachment(
        attachment_id=world.id_key.attachment(world.source_id, "cat"),
        kind="image",
        media_type="image/png",
        reference="cat",
    )
    first = world.inbound(ADA, 1, "my heirloom teapot", cause="a")
    content = Content(text=first.content.text, attachments=(picture,))
    await world.receive(type(first)(**{**_fields(first), "content": content}))
    await world.seen(dima, conversation_id)
    await world.call(dima, "POST", f"{path}/take", key="take")
    await world.call(
        dima, "POST", f"{path}/messages", {"content": {"text": "a samovar then"}}, key="say"
    )
    await world.call(dima, "POST", f"{path}/notes", {"text": "collects crockery"})
    await world.receive(world.inbound(ADA, 1, "my heirloom kettle", kind="edit", cause="b"))
    await world.seen(dima, conversation_id, lambda view: view["version"] == 6)
    return conversation_id


def _fields(body: Any) -> dict[str, Any]:
    return {name: getattr(body, name) for name in body.__struct_fields__}


SAID = ("heirloom", "samovar", "crockery", "Customer 271828182", ADA)
