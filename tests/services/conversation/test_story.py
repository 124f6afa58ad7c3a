"""A case from the customer's first message to Done and the next one, on the real servers."""

import pytest

from libs.events.conversation.message import MessageReceived
from tests.support.conversation.world import World

pytestmark = pytest.mark.servers


async def test_a_case_is_received_taken_answered_and_closed(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id = served.conversation_id("100")

    # given a customer who wrote
    await served.receive(served.inbound("100", 1, "Do you deliver?"))
    view = await served.seen(dima, conversation_id)
    assert view["case"]["state"] == "new"
    assert view["customer"]["name"] == "Customer 100"
    assert view["last_message"]["preview"] == "Do you deliver?"

    # when Dima takes, answers and closes
    base = f"/v1/conversations/{conversation_id}"
    taken = await served.call(dima, "POST", f"{base}/take")
    assert (taken.status, taken.body["case"]["responsible"]) == (200, dima)
    sent = await served.call(
        dima, "POST", f"{base}/messages", {"content": {"text": "We do"}}, key="k1"
    )
    assert sent.status == 201
    assert sent.body["item"]["delivery"] == {"state": "queued"}
    closed = await served.call(dima, "POST", f"{base}/close")
    assert (closed.status, closed.body["case"]["state"]) == (200, "done")

    # then all of it is told, without gaps and in order, and the answer is to be sent
    events = await served.events(5)
    assert [one.sequence for one in events] == [1, 2, 3, 4, 5]
    assert [type(one.body).__name__ for one in events] == [
        "CaseOpened",
        "MessageReceived",
        "CaseTaken",
        "MessageSent",
        "CaseClosed",
    ]
    assert isinstance(events[1].body, MessageReceived)
    [request] = await served.events(1, "parley.outbound")
    assert request.body.message_id == sent.body["item"]["id"]  # type: ignore[attr-defined]

    # and the timeline shows it, newest first, with the delivery that ingest reports
    await served.deliver(conversation_id, sent.body["item"]["id"], "sent", ("77",))
    await served.events(6)
    timeline = await served.timeline(dima, conversation_id)
    shown = [(i["kind"], i.get("key") or i["content"]["text"]) for i in timeline["items"]]
    assert shown == [
        ("system", "case-closed"),
        ("message", "We do"),
        ("system", "case-taken"),
        ("message", "Do you deliver?"),
        ("system", "case-opened"),
    ]
    assert timeline["items"][1]["delivery"] == {"state": "sent"}

    # and the customer's next message opens the next case
    await served.receive(served.inbound("100", 2, "Thanks!"))
    view = await served.seen(dima, conversation_id, lambda v: v["case"]["state"] == "new")
    assert view["case"]["repeat"] is True
    assert view["case"]["responsible_before"] == dima
