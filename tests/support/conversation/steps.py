"""Steps that many tests of the running service begin with."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from libs.events.inbound import InboundDeleted
from libs.runtime.http import ServiceClient
from tests.support.conversation.world import Answer, World
from tests.support.eventually import eventually
from tests.support.trust import tokens_of


async def a_new_case(world: World, member_id: str, thread: str = "1") -> str:
    """The path of its commands."""
    await world.receive(world.inbound(thread, 1))
    conversation_id = world.conversation_id(thread)
    await world.seen(member_id, conversation_id)
    return f"/v1/conversations/{conversation_id}"


def customer_of(world: World, thread: str) -> str:
    return world.id_key.customer(world.source_id, thread)


async def a_case(world: World, member_id: str, thread: str, *, taken: bool = True) -> str:
    """A customer with a case in the member's hands; the customer's path."""
    await world.receive(world.inbound(thread, 1))
    conversation_id = world.conversation_id(thread)
    await world.seen(member_id, conversation_id)
    if taken:
        answer = await world.call(member_id, "POST", f"/v1/conversations/{conversation_id}/take")
        assert answer.status == 200
    return f"/v1/customers/{customer_of(world, thread)}"


async def done(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer
    return answer.body


async def a_sent_message(world: World, member_id: str) -> tuple[str, str]:
    """The conversation's id and the message's; Telegram has the message as 77."""
    case = await a_new_case(world, member_id)
    conversation_id = case.rpartition("/")[2]
    await world.call(member_id, "POST", f"{case}/take")
    body = {"content": {"text": "Helo"}}
    sent = await world.call(member_id, "POST", f"{case}/messages", body)
    message_id: str = sent.body["item"]["id"]
    await world.deliver(conversation_id, message_id, "sent", ("77",))

    async def is_sent() -> bool:
        message = await shown(world, member_id, conversation_id, message_id)
        return bool(message["delivery"]["state"] == "sent")

    await eventually(is_sent)
    return conversation_id, message_id


async def shown(world: World, member_id: str, conversation_id: str, message_id: str) -> Any:
    timeline = await world.timeline(member_id, conversation_id)
    [message] = [item for item in timeline["items"] if item["id"] == message_id]
    return message


async def of_customer(world: World, conversation_id: str) -> dict[str, str]:
    """What the widget would show, as ingest reads it: the messages' texts by their ids."""
    assert world.client is not None
    tokens = tokens_of("ingest")
    async with ServiceClient("conversation", world.client._base_url, tokens) as ingest:
        path = f"/internal/v1/customer-timeline/{conversation_id}"
        status, raw, _ = await ingest.call("GET", path, workspace_id=world.workspace_id)
    assert status == 200
    items = msgspec.json.decode(raw)["items"]
    return {item["message_id"]: item["content"]["text"] for item in items}


def deleted(world: World, thread: str, number: str) -> InboundDeleted:
    """As ingest tells of the platform's message ``number``."""
    now = datetime.now(UTC)
    return InboundDeleted(
        cause=f"deleted/{thread}/{number}",
        channel=world.inbound(thread, 1).channel,
        source_id=world.source_id,
        conversation_id=world.conversation_id(thread),
        thread=thread,
        customer_id=world.id_key.customer(world.source_id, thread),
        message_id=world.id_key.message(world.source_id, thread, number),
        external_message_id=number,
        occurred_at=now,
        received_at=now,
    )


async def tell(world: World, *deletions: InboundDeleted) -> None:
    await world.publish_all([(one, one.conversation_id) for one in deletions])
