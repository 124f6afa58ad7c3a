"""What comes by Kafka is applied once, in order, whole."""

import pytest

from libs.events.conversation.message import MessageDeliveryChanged, MessageReceived, MessageSent
from libs.events.envelope import Envelope
from libs.events.ids import random_id
from tests.support.conversation.world import World, serving
from tests.support.kafka import read_records

pytestmark = pytest.mark.servers


def texts(timeline: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    """Of the messages, oldest first."""
    return [i["content"]["text"] for i in reversed(timeline["items"]) if "content" in i]


def sequences(events: list[Envelope]) -> dict[str, list[int]]:
    """By stream, each where it arrived first."""
    seen: dict[str, list[int]] = {}
    for event in events:
        known = seen.setdefault(event.subject, [])
        if event.sequence not in known:
            known.append(event.sequence)
    return seen


async def test_every_message_twice_and_all_of_them_again_is_each_message_once_in_order(
    world: World,
) -> None:
    threads = [str(number) for number in range(20)]
    messages = [world.inbound(thread, n) for n in range(15) for thread in threads]
    # given a backlog in which every message stands twice
    await world.receive(*(m for message in messages for m in (message, message)))
    async with serving(world):
        owner = await world.member("Dima")
        await world.events(len(messages) + len(threads))
        # when all of it comes again, with one new message at the end
        await world.receive(*messages)
        await world.receive(*(world.inbound(thread, 99, "last") for thread in threads))
        events = await world.events(len(messages) + 2 * len(threads))
        # then each conversation has each once, in the order its sender sent them
        for thread in threads:
            conversation_id = world.conversation_id(thread)
            await world.seen(
                owner, conversation_id, lambda v: v["last_message"]["preview"] == "last"
            )
            timeline = await world.timeline(owner, conversation_id)
            assert texts(timeline) == [f"message {n}" for n in range(15)] + ["last"]
    assert set(map(tuple, sequences(events).values())) == {tuple(range(1, 18))}


async def test_a_long_backlog_of_one_conversation_is_cut_into_commits(served: World) -> None:
    dima = await served.member("Dima")
    long = [served.inbound("1", n, f"{n} " + "я" * 4_000) for n in range(120)]
    await served.receive(*long)
    conversation_id = served.conversation_id("1")
    await served.seen(dima, conversation_id, lambda v: v["version"] == 121)
    shown: list[str] = []
    cursor = None
    while True:
        query = {"limit": "50"} | ({"cursor": cursor} if cursor else {})
        page = await served.timeline(dima, conversation_id, **query)
        shown += [i["content"]["text"].split()[0] for i in page["items"] if "content" in i]
        cursor = page.get("next")
        if cursor is None:
            break
    assert shown == [str(n) for n in reversed(range(120))]


async def test_an_edit_shows_in_the_timeline_and_the_latest_one_wins(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id = served.conversation_id("1")
    await served.receive(
        served.inbound("1", 1, "helo"),
        served.inbound("1", 1, "hello", kind="edit"),
        served.inbound("1", 1, "hello!", kind="edit"),
    )
    await served.seen(dima, conversation_id, lambda v: v["version"] == 4)
    timeline = await served.timeline(dima, conversation_id)
    [message] = [i for i in timeline["items"] if i["kind"] == "message"]
    assert message["content"]["text"] == "hello!"
    assert message["edited_at"]


async def test_what_the_owner_wrote_on_the_platform_stands_as_the_teams(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id = served.conversation_id("1")
    await served.receive(
        served.inbound("1", 1), served.inbound("1", 2, "Yes", direction="outgoing")
    )
    view = await served.seen(dima, conversation_id, lambda v: v["version"] == 3)
    assert "waiting_since" not in view["case"]
    [item] = [
        i
        for i in (await served.timeline(dima, conversation_id))["items"]
        if i.get("direction") == "outgoing"
    ]
    assert item["via_platform"] is True
    assert "delivery" not in item
    sent = [e.body for e in await served.events(3) if isinstance(e.body, MessageSent)]
    assert sent[0].response is not None


async def test_receipts_move_a_delivery_and_a_quote_is_found_by_the_platforms_id(
    served: World,
) -> None:
    dima = await served.member("Dima")
    conversation_id = served.conversation_id("1")
    await served.receive(served.inbound("1", 1))
    await served.seen(dima, conversation_id)
    base = f"/v1/conversations/{conversation_id}"
    assert (await served.call(dima, "POST", f"{base}/take")).status == 200
    body = {"content": {"text": "hi"}, "reply_to": served.inbound("1", 1).message_id}
    sent = (await served.call(dima, "POST", f"{base}/messages", body)).body["item"]
    [request] = await served.events(1, "parley.outbound")
    assert request.body.reply_to_external == "1"  # type: ignore[attr-defined]

    # What has no id there yet is quoted by its own name.
    soon = {"content": {"text": "and"}, "reply_to": sent["id"]}
    assert (await served.call(dima, "POST", f"{base}/messages", soon)).status == 201
    request = (await served.events(2, "parley.outbound"))[1]
    quoted = (request.body.reply_to, request.body.reply_to_external)  # type: ignore[attr-defined]
    assert quoted == (sent["id"], None)

    for state in ("sent", "delivered", "sent", "read"):
        await served.deliver(
            conversation_id, sent["id"], state, ("501",) if state == "sent" else ()
        )
    events = await served.events(8)
    moved = [e for e in events if isinstance(e.body, MessageDeliveryChanged)]
    assert [e.body.state for e in moved] == ["sent", "delivered", "read"]  # type: ignore[attr-defined]
    assert [(e.subject, e.sequence) for e in moved] == [(sent["id"], n) for n in (1, 2, 3)]
    first = moved[0].body
    assert isinstance(first, MessageDeliveryChanged)
    assert first.case_id == f"{conversation_id}.1"
    assert first.audience is not None
    assert first.audience.member_ids == (dima,)

    await served.receive(served.inbound("1", 2, "I see", reply_to_external="501"))
    events = await served.events(9)
    assert isinstance(events[-1].body, MessageReceived)
    assert events[-1].body.message.reply_to == sent["id"]

    # and the team quotes its own message by the platform's id
    body = {"content": {"text": "again"}, "reply_to": sent["id"]}
    assert (await served.call(dima, "POST", f"{base}/messages", body)).status == 201
    assert (await served.events(3, "parley.outbound"))[2].body.reply_to_external == "501"  # type: ignore[attr-defined]


async def test_a_receipt_before_its_message_is_kept_and_shown_to_nobody(served: World) -> None:
    await served.deliver(served.conversation_id("9"), "msg_unknown", "sent", ("1",))
    [event] = await served.events(1)
    assert isinstance(event.body, MessageDeliveryChanged)
    assert (event.body.audience, event.body.state) == (None, "sent")


async def test_a_message_of_a_source_nobody_knows_is_a_dead_letter_and_the_rest_goes_on(
    served: World,
) -> None:
    dima = await served.member("Dima")
    known = served.inbound("1", 1)
    stranger = served.inbound("2", 1)
    await served.publish(stranger, stranger.conversation_id, workspace_id=random_id("wsp"))
    await served.receive(known)
    await served.seen(dima, known.conversation_id)
    [dead] = await read_records(
        served.bootstrap, f"{served.namespace}parley.inbound.dead", lambda records: bool(records)
    )
    assert dict(dead.headers)["parley_dead_reason"] == b"its source is not known in its workspace"
    assert (await served.view(dima, stranger.conversation_id)).status == 404


async def test_what_no_commit_can_hold_is_a_dead_letter_and_its_neighbours_are_not(
    served: World,
) -> None:
    dima = await served.member("Dima")
    conversation_id = served.conversation_id("1")
    await served.receive(
        served.inbound("1", 1, "before"),
        served.inbound("1", 2, "x" * 480_000),
        served.inbound("1", 3, "after"),
    )
    await served.seen(dima, conversation_id, lambda v: v["last_message"]["preview"] == "after")
    assert texts(await served.timeline(dima, conversation_id)) == ["before", "after"]
    dead = await read_records(
        served.bootstrap,
        f"{served.namespace}parley.inbound.dead",
        lambda records: any(len(one.value) > 480_000 for one in records),
    )
    [large] = [one for one in dead if len(one.value) > 480_000]
    assert dict(large.headers)["parley_dead_reason"] == b"it is larger than a commit may be"
