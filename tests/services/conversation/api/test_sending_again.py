"""What did not arrive: the customer waits again, and a person may send it once more."""

import asyncio
from typing import Any

import pytest

from libs.events.actions import Action
from libs.events.content import Channel
from libs.events.conversation.message import (
    AnswerTakenBack,
    MessageDeliveryChanged,
    MessageResent,
    MessageSent,
    SendingFailed,
)
from libs.events.directory import SourceState
from libs.events.outbound import OutboundRequested
from libs.events.registry import Body
from tests.support.conversation.world import AGENT, MANAGER, Answer, World
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


def kind(answer: Answer) -> str:
    return str(answer.body["type"].rpartition(":")[2])


async def answered(world: World, member_id: str, thread: str) -> tuple[str, str]:
    """A customer wrote, the member answered: the conversation's path, and the answer."""
    await world.receive(world.inbound(thread, 1))
    conversation_id = world.conversation_id(thread)
    await world.seen(member_id, conversation_id)
    path = f"/v1/conversations/{conversation_id}"
    assert (await world.call(member_id, "POST", f"{path}/take")).status == 200
    sent = await world.call(member_id, "POST", f"{path}/messages", {"content": {"text": "Hello"}})
    assert sent.status == 201
    return path, sent.body["item"]["id"]


async def item_of(world: World, member_id: str, thread: str, message_id: str) -> Any:
    items = (await world.timeline(member_id, world.conversation_id(thread)))["items"]
    return next(item for item in items if item["id"] == message_id)


async def failed(world: World, member_id: str, thread: str, message_id: str, **how: Any) -> Any:
    """The sending of the answer fails; the conversation once that is known."""
    conversation_id = world.conversation_id(thread)
    await world.deliver(conversation_id, message_id, "failed", **how)
    return await world.seen(
        member_id, conversation_id, lambda view: "waiting_since" in view["case"]
    )


async def test_a_failed_answer_is_no_answer(served: World) -> None:
    dima = await served.member("Dima")
    path, message_id = await answered(served, dima, "1")
    began = (await served.timeline(dima, served.conversation_id("1")))["items"][-1]["at"]

    view = await failed(served, dima, "1", message_id)
    assert view["case"]["waiting_since"] == began
    assert "first_response_at" not in view["case"]
    asked = {"tab": "mine", "answered": "false"}
    listed = await served.call(dima, "GET", "/v1/conversations", query=asked)
    assert [one["conversation_id"] for one in listed.body["items"]] == [served.conversation_id("1")]

    bodies = [envelope.body for envelope in await served.events(7)]
    [told] = [body for body in bodies if isinstance(body, SendingFailed)]
    assert (told.member_id, told.message_id, told.state) == (dima, message_id, "failed")
    [back] = [body for body in bodies if isinstance(body, AnswerTakenBack)]
    sent = next(e for e in await served.events(7) if isinstance(e.body, MessageSent))
    assert back.withdrawn == (sent.sequence,)

    # Told again, as after a crash, it is nothing; the next answer is measured from the beginning.
    await served.deliver(served.conversation_id("1"), message_id, "failed")
    again = await served.call(dima, "POST", f"{path}/messages", {"content": {"text": "Once more"}})
    assert "waiting_since" not in again.body["conversation"]["case"]
    bodies = [envelope.body for envelope in await served.events(8)]
    assert sum(isinstance(body, SendingFailed) for body in bodies) == 1
    answer = [body for body in bodies if isinstance(body, MessageSent)][-1].response
    assert answer is not None
    assert answer.is_first
    assert answer.waiting_since.isoformat() == began.replace("Z", "+00:00")


async def test_a_message_is_sent_again_once_whoever_asks(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    path, message_id = await answered(served, dima, "1")
    resend = f"{path}/messages/{message_id}/resend"
    await served.call(
        dima,
        "POST",
        f"{path}/participants",
        {"member_id": olena},
        actions=AGENT | {Action.PARTICIPANTS},
    )

    queued = await served.call(dima, "POST", resend)
    assert (queued.status, kind(queued)) == (409, "message-not-failed")
    await failed(served, dima, "1", message_id, external=("71",))
    asked = await asyncio.gather(
        *(
            served.call(who, "POST", resend, key=f"key-{n}")
            for n, who in enumerate([dima, olena] * 3)
        )
    )
    done = [answer for answer in asked if answer.status == 201]
    assert (len(done), {a.status for a in asked}) == (1, {201, 409})
    item = done[0].body["item"]
    assert item["delivery"]["state"] == "queued"
    assert [(one["attempt"], one["state"]) for one in item["attempts"]] == [
        (1, "failed"),
        (2, "queued"),
    ]
    assert "waiting_since" not in done[0].body["conversation"]["case"]
    requests = [envelope.body for envelope in await served.events(2, "parley.outbound")]
    again = requests[-1]
    assert isinstance(again, OutboundRequested)
    assert (again.message_id, again.attempt, again.taken) == (message_id, 2, ("71",))
    assert again.content.text == "Hello"

    # What is still told of the first sending says nothing of the second.
    await served.deliver(served.conversation_id("1"), message_id, "failed", ("71", "72"))
    await served.deliver(served.conversation_id("1"), message_id, "sent", ("71", "73"), attempt=2)

    async def arrived() -> bool:
        return bool((await item_of(served, dima, "1", message_id))["delivery"]["state"] == "sent")

    await eventually(arrived)
    item = await item_of(served, dima, "1", message_id)
    assert [one["state"] for one in item["attempts"]] == ["failed", "sent"]
    view = (await served.view(dima, served.conversation_id("1"))).body
    assert "waiting_since" not in view["case"]
    assert "first_response_at" in view["case"]
    once = await served.call(dima, "POST", resend)
    assert (once.status, once.body["delivery"]) == (409, "sent")


async def test_the_same_request_again_sends_nothing_more(served: World) -> None:
    dima = await served.member("Dima")
    path, message_id = await answered(served, dima, "1")
    await failed(served, dima, "1", message_id)
    resend = f"{path}/messages/{message_id}/resend"
    first = await served.call(dima, "POST", resend, key="again")
    assert first.status == 201
    assert await served.call(dima, "POST", resend, key="again") == first
    items = (await served.timeline(dima, served.conversation_id("1")))["items"]
    assert [i["text"] for i in items if i.get("key") == "message-resent"] == [
        "Dima sends a message again"
    ]


async def test_a_second_failure_is_told_of_the_second_sending(served: World) -> None:
    dima = await served.member("Dima")
    path, message_id = await answered(served, dima, "1")
    await failed(served, dima, "1", message_id)
    assert (await served.call(dima, "POST", f"{path}/messages/{message_id}/resend")).status == 201
    await failed(served, dima, "1", message_id, attempt=2)
    bodies = [envelope.body for envelope in await served.events(11)]
    assert [b.attempt for b in bodies if isinstance(b, SendingFailed)] == [1, 2]
    assert [b.attempt for b in bodies if isinstance(b, MessageDeliveryChanged)] == [1, 2]
    assert sum(isinstance(b, MessageResent) for b in bodies) == 1


async def test_who_may_not_answer_does_not_send_again(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    path, message_id = await answered(served, dima, "1")
    await failed(served, dima, "1", message_id)
    resend = f"{path}/messages/{message_id}/resend"

    assert kind(await served.call(olena, "POST", resend)) == "case-taken"
    incoming = served.inbound("1", 1).message_id
    other = await served.call(dima, "POST", f"{path}/messages/{incoming}/resend")
    assert kind(other) == "not-sent-from-here"
    none = await served.call(dima, "POST", f"{path}/messages/msg_none/resend")
    assert none.status == 404
    assert (await served.call(dima, "POST", f"{path}/close")).status == 200
    assert kind(await served.call(dima, "POST", resend)) == "case-done"
    reopened = await served.call(dima, "POST", f"{path}/reopen", actions=MANAGER)
    assert "waiting_since" not in reopened.body["case"]
    assert (await served.call(dima, "POST", resend)).status == 201


async def test_a_disconnected_source_is_refused_beforehand(served: World) -> None:
    dima = await served.member("Dima")
    path, message_id = await answered(served, dima, "1")
    await failed(served, dima, "1", message_id)
    draft = {"text": "Not lost"}
    await served.call(dima, "PUT", f"{path}/draft", draft)

    def source(*, connected: bool) -> SourceState:
        return SourceState(
            source_id=served.source_id,
            channel=Channel.TELEGRAM,
            name="bot",
            location_id=served.location_id,
            account="42",
            connected=connected,
        )

    await served.directory(source(connected=False))
    await served.settled()
    refused = await served.call(dima, "POST", f"{path}/messages", {"content": {"text": "Not lost"}})
    assert (refused.status, kind(refused)) == (
        409,
        "source-not-connected",
    )
    again = await served.call(dima, "POST", f"{path}/messages/{message_id}/resend")
    assert kind(again) == "source-not-connected"
    assert (await served.call(dima, "GET", f"{path}/draft")).body["text"] == "Not lost"
    view = (await served.view(dima, served.conversation_id("1"))).body
    assert "waiting_since" in view["case"]

    await served.directory(source(connected=True))
    await served.settled()
    assert (await served.call(dima, "POST", f"{path}/messages/{message_id}/resend")).status == 201


async def test_many_that_fail_in_one_batch_leave_one_wait(served: World) -> None:
    dima = await served.member("Dima")
    path, message_id = await answered(served, dima, "1")
    ids = [message_id]
    for number in range(11):
        sent = await served.call(
            dima, "POST", f"{path}/messages", {"content": {"text": f"and {number}"}}
        )
        ids.append(sent.body["item"]["id"])
    conversation_id = served.conversation_id("1")
    receipts: list[tuple[Body, str]] = [
        (served.receipt(conversation_id, one, "failed"), conversation_id) for one in ids
    ]
    await served.publish_all([*receipts[:-1]])
    await served.settled()

    async def told() -> bool:
        found = await served.events(1)
        return sum(isinstance(one.body, SendingFailed) for one in found) == len(ids) - 1

    await eventually(told)
    # The last one went: it is the answer.
    view = (await served.view(dima, conversation_id)).body
    assert "waiting_since" not in view["case"]
    await served.publish_all(receipts[-1:])
    view = await served.seen(dima, conversation_id, lambda v: "waiting_since" in v["case"])
    assert "first_response_at" not in view["case"]
