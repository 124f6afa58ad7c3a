"""The socket of live answers, fed by real events on Kafka."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import pytest

from libs.events.api import CustomerMessage
from libs.events.content import Channel, Content
from libs.events.conversation.message import (
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessageSent,
    NoteAdded,
)
from services.ingest.channels.widget.hub import FellBehind, MessageFrame, Subscription
from services.ingest.channels.widget.live import CloseCode
from services.ingest.channels.widget.routes import WidgetLimits
from tests.support.ingest.widget.site import Site, message
from tests.support.ingest.widget.stack import Stack

pytestmark = pytest.mark.servers


async def hello(socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
    await socket.send_json({"token": token})
    assert await socket.receive_json(timeout=10) == {"type": "ready"}


async def closed_with(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    received = await socket.receive(timeout=20)
    assert received.type is aiohttp.WSMsgType.CLOSE, received
    return socket.close_code


async def test_the_visitor_sees_what_is_said_and_nothing_else(site: Site) -> None:
    visitor, other = await site.visitor(), await site.visitor()
    visitor_id = visitor["visitor_id"]
    case = site.case(visitor_id)
    answer = site.sent(visitor_id, "An answer")
    async with site.live() as socket:
        await hello(socket, visitor["token"])
        own = MessageReceived(
            case=case,
            recorded_at=case.opened_at,
            message=message("incoming", "From another tab"),
            received_at=case.opened_at,
        )
        await site.publish(own, 2)
        note = NoteAdded(
            case=case, recorded_at=case.opened_at, note_id="n", member_id="m", text="Secret"
        )
        await site.publish(note, 3)
        await site.publish(site.sent(other["visitor_id"], "For another"), 2)
        await site.publish(answer, 4)
        edited = msgspec.structs.replace(answer.message, content=Content(text="A better answer"))
        await site.publish(MessageEdited(case=case, recorded_at=case.opened_at, message=edited), 5)

        deleted = MessageDeleted(
            case=case,
            recorded_at=case.opened_at,
            message_id=answer.message.message_id,
            direction="outgoing",
            member_id="m",
        )
        await site.publish(deleted, 6)

        frames: list[dict[str, Any]] = [await socket.receive_json(timeout=10) for _ in range(4)]

    assert [frame["type"] for frame in frames] == ["message", "message", "edited", "deleted"]
    assert frames[3] == {"type": "deleted", "message_id": answer.message.message_id}
    assert frames[0]["message"]["content"]["text"] == "From another tab"
    assert frames[0]["message"]["position"] == 2
    assert frames[1]["message"] == {
        "message_id": answer.message.message_id,
        "direction": "outgoing",
        "content": {"text": "An answer"},
        "occurred_at": frames[1]["message"]["occurred_at"],
        "position": 4,
    }
    assert frames[2]["message_id"] == answer.message.message_id
    assert frames[2]["content"] == {"text": "A better answer"}


async def test_another_channels_messages_are_not_pushed(site: Site) -> None:
    visitor = await site.visitor()
    visitor_id = visitor["visitor_id"]
    elsewhere = MessageSent(
        case=site.case(visitor_id, Channel.TELEGRAM),
        recorded_at=site.case(visitor_id).opened_at,
        message=message("outgoing", "Elsewhere"),
    )
    async with site.live() as socket:
        await hello(socket, visitor["token"])
        await site.publish(elsewhere, 1)
        await site.publish(site.sent(visitor_id, "Here"), 2)
        frame = await socket.receive_json(timeout=10)
    assert frame["message"]["content"]["text"] == "Here"


async def test_every_tab_gets_the_answer(site: Site) -> None:
    visitor = await site.visitor()
    async with site.live() as first, site.live() as second:
        await hello(first, visitor["token"])
        await hello(second, visitor["token"])
        await site.publish(site.sent(visitor["visitor_id"], "To both"), 1)
        for socket in (first, second):
            frame = await socket.receive_json(timeout=10)
            assert frame["message"]["content"]["text"] == "To both"


async def test_only_pages_of_the_sources_origins_get_a_socket(site: Site) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with site.live("https://evil.example"):
            pass
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"token": "forged"}', CloseCode.UNAUTHORIZED),
        ("not json", CloseCode.NO_HELLO),
        ("{}", CloseCode.NO_HELLO),
        ('{"token": "' + "x" * 9_000 + '"}', CloseCode.NO_HELLO),
    ],
)
async def test_a_socket_without_a_valid_token_is_closed(
    site: Site, first: str, code: CloseCode
) -> None:
    async with site.live() as socket:
        await socket.send_str(first)
        assert await closed_with(socket) == code


async def test_a_conversation_has_only_so_many_sockets(stack: Stack) -> None:
    async with stack.another(limits=WidgetLimits(sockets=1)) as url:
        site = await stack.site(url=url)
        visitor = await site.visitor()
        async with site.live() as first, site.live() as second:
            await hello(first, visitor["token"])
            await second.send_json({"token": visitor["token"]})
            assert await closed_with(second) == CloseCode.TOO_MANY


async def test_a_socket_that_cannot_follow_is_closed(stack: Stack) -> None:
    """What it had is a beginning without gaps; the rest is read from the history."""
    async with stack.another(limits=WidgetLimits(waiting_events=3)) as url:
        site = await stack.site(url=url)
        visitor = await site.visitor()
        async with site.live() as socket:
            await hello(socket, visitor["token"])
            # More at once than the queue and the socket's buffers hold, while nobody reads: longer
            # than a text may be, and published past conversation, which would refuse it.
            for position in range(1, 61):
                await site.publish(site.sent(visitor["visitor_id"], "x" * 200_000), position)
            received: list[int] = []
            while (frame := await socket.receive(timeout=20)).type is aiohttp.WSMsgType.TEXT:
                received.append(json.loads(frame.data)["message"]["position"])
            assert socket.close_code == CloseCode.FELL_BEHIND
            assert received == list(range(1, len(received) + 1))
            assert 0 < len(received) < 60


async def test_what_only_a_newer_version_can_read_is_left_to_the_history(site: Site) -> None:
    visitor, other = await site.visitor(), await site.visitor()
    async with site.live() as socket, site.live() as beside:
        await hello(socket, visitor["token"])
        await hello(beside, other["token"])
        await site.publish(site.sent(visitor["visitor_id"], "Hello"), 1)
        assert (await socket.receive_json(timeout=10))["message"]["position"] == 1
        await site.publish(site.sent(visitor["visitor_id"], "Something"), 2, newer=True)
        await site.publish(site.sent(visitor["visitor_id"], "Bye"), 3)
        assert await closed_with(socket) == CloseCode.FELL_BEHIND
        await site.publish(site.sent(other["visitor_id"], "Still there"), 1)
        assert (await beside.receive_json(timeout=10))["message"]["position"] == 1


async def test_a_subscription_that_fell_behind_gives_nothing_after_the_gap() -> None:
    subscription = Subscription(size=2)
    for position in (1, 2, 3):
        said = CustomerMessage(
            message_id=f"msg_{position}",
            direction="outgoing",
            content=Content(text="Hello"),
            occurred_at=datetime.now(UTC),
            position=position,
        )
        subscription.offer(MessageFrame(said))
    with pytest.raises(FellBehind):
        await subscription.next()


async def test_events_reach_the_socket_soon(site: Site) -> None:
    """Not a benchmark: it would notice a hub that waits out its poll before handing on."""
    visitor = await site.visitor()
    async with site.live() as socket:
        await hello(socket, visitor["token"])
        loop = asyncio.get_running_loop()
        seconds = []
        for position in range(1, 11):
            began = loop.time()
            await site.publish(site.sent(visitor["visitor_id"], "Hello"), position)
            await socket.receive_json(timeout=10)
            seconds.append(loop.time() - began)
        # Whatever else the machine does: a hub that waited would let none through before 0.5 s.
        assert min(seconds) < 0.4, seconds
