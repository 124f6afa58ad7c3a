"""``/v1/live`` on the real Kafka: who is shown what, going on from a cursor, never a gap."""

import asyncio
import json
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
import websockets.asyncio.client

from libs.events.content import Content
from libs.events.conversation import (
    Audience,
    CaseFacts,
    CaseTaken,
    ConversationEvent,
    Message,
    MessageDeliveryChanged,
    MessageReceived,
)
from libs.events.directory import Role
from libs.events.notification import NotificationRaised
from libs.runtime.kafka import outgoing
from services.gateway.live.hub import WAITING_AT_MOST
from services.gateway.live.watch import CHECK_SECONDS
from tests.services.gateway.conftest import Member, Suite, Team, a_case, audience, new_team
from tests.support.kafka import envelope

pytestmark = pytest.mark.servers


@pytest.fixture
def team(staff: tuple[Team, dict[Role, Member]]) -> Team:
    """One workspace for all of these tests: each has conversations of its own."""
    return staff[0]


class Socket:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self, seconds: float = 10) -> Any:
        """The next frame that is not a ping; after a close, its code."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return self.socket.close_code
                frame = json.loads(message.data)
                if frame["type"] != "ping":
                    return frame

    async def is_quiet(self) -> bool:
        try:
            await self.next(0.3)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def live(
    suite: Suite, member: Member, cursor: str | None = None, *, url: str | None = None
) -> AsyncIterator[Socket]:
    async with suite.http.ws_connect((url or suite.url) + "/v1/live") as socket:
        await socket.send_json({"token": member.api.token, "cursor": cursor})
        yield Socket(socket)


async def ready(socket: Socket) -> str:
    frame = await socket.next()
    assert frame["type"] == "ready"
    return str(frame["cursor"])


def received(case: CaseFacts, before: Audience | None, after: Audience | None) -> MessageReceived:
    now = datetime.now(UTC)
    return MessageReceived(
        case=case,
        recorded_at=now,
        audience_before=before,
        audience_after=after,
        message=Message(
            message_id="msg_" + uuid.uuid4().hex[:8],
            direction="incoming",
            content=Content(text="Добрий день"),
            occurred_at=now,
        ),
        received_at=now,
        starts_turn=True,
    )


async def publish(suite: Suite, team: Team, *events: tuple[ConversationEvent, int]) -> None:
    """Events with their sequences, in this order."""
    await suite.publisher.publish(
        [
            outgoing(envelope(body, body.case.conversation_id, team.workspace_id, sequence))
            for body, sequence in events
        ]
    )


async def test_a_message_is_shown_as_the_public_event_without_what_is_internal(
    suite: Suite, team: Team
) -> None:
    case, everybody = a_case(team), audience(team)
    body = received(case, everybody, everybody)
    async with live(suite, team.owner) as socket:
        await ready(socket)

        await publish(suite, team, (body, 1))
        frame = await socket.next()

    assert frame["type"] == "event"
    assert frame["event"] == "parley.message.received.v1"
    assert frame["conversation_id"] == case.conversation_id
    assert frame["data"]["message"]["content"] == {"text": "Добрий день"}
    assert frame["data"]["case"]["case_id"] == case.case_id
    assert set(frame["data"]) == {"case", "message", "starts_turn"}


async def test_the_header_may_bring_the_token(suite: Suite, team: Team) -> None:
    headers = {"authorization": f"Bearer {team.owner.api.token}"}
    async with suite.http.ws_connect(suite.url + "/v1/live", headers=headers) as socket:
        await socket.send_str("{}")

        assert await ready(Socket(socket))


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ('{"token": "pse_wrong"}', 4401),
        ("{}", 4401),
        ("not JSON", 4400),
        ('{"token": 1}', 4400),
    ],
)
async def test_who_does_not_say_who_it_is_is_shown_nothing(
    suite: Suite, hello: str, code: int
) -> None:
    async with suite.http.ws_connect(suite.url + "/v1/live") as socket:
        await socket.send_str(hello)

        assert await Socket(socket).next() == code


async def test_only_those_of_the_group_are_shown_its_cases(suite: Suite, team: Team) -> None:
    dima, ira = await team.add(Role.OPERATOR), await team.add(Role.OPERATOR)
    sales = audience(team, group_id=await team.group("Sales", dima))
    case = a_case(team)
    async with live(suite, dima) as his, live(suite, ira) as hers, live(suite, team.owner) as all_:
        for socket in (his, hers, all_):
            await ready(socket)

        await publish(suite, team, (received(case, sales, sales), 1))

        assert (await his.next())["type"] == "event"
        assert (await all_.next())["type"] == "event"
        assert await hers.is_quiet()


async def test_a_case_that_leaves_a_members_sight_is_taken_away(suite: Suite, team: Team) -> None:
    dima, ira = await team.add(Role.OPERATOR), await team.add(Role.OPERATOR)
    sales = audience(team, group_id=await team.group("Sales", dima))
    support = audience(team, group_id=await team.group("Support", ira))
    case = a_case(team)
    moved = CaseTaken(
        case=case,
        recorded_at=datetime.now(UTC),
        audience_before=sales,
        audience_after=support,
        member_id=ira.member_id,
    )
    async with live(suite, dima) as his, live(suite, ira) as hers:
        await ready(his)
        await ready(hers)

        await publish(suite, team, (moved, 1))
        taken_away, shown = await his.next(), await hers.next()

    assert taken_away["type"] == "gone"
    assert taken_away["conversation_id"] == case.conversation_id
    assert set(taken_away) == {"type", "conversation_id", "cursor"}
    assert (shown["type"], shown["event"]) == ("event", "parley.case.taken.v1")


async def test_a_case_in_routing_and_other_workspaces_are_not_shown(
    suite: Suite, team: Team, api: Any
) -> None:
    other = await new_team(suite, api)
    async with live(suite, team.owner) as socket:
        await ready(socket)

        await publish(suite, team, (received(a_case(team), None, None), 1))
        theirs = audience(other)
        await publish(suite, other, (received(a_case(other), theirs, theirs), 1))

        assert await socket.is_quiet()


async def test_a_repeat_is_not_shown_again_and_nothing_out_of_order(
    suite: Suite, team: Team
) -> None:
    case, everybody = a_case(team), audience(team)
    one, two, three = (received(case, everybody, everybody) for _ in range(3))
    async with live(suite, team.owner) as socket:
        await ready(socket)

        await publish(suite, team, (one, 1), (two, 2), (one, 1), (two, 2), (three, 3))
        shown = [(await socket.next())["data"]["message"]["message_id"] for _ in range(3)]

        assert shown == [body.message.message_id for body in (one, two, three)]
        assert await socket.is_quiet()


async def test_a_gap_is_a_reason_to_reload(suite: Suite, team: Team) -> None:
    case, everybody = a_case(team), audience(team)
    async with live(suite, team.owner) as socket:
        await ready(socket)

        await publish(suite, team, (received(case, everybody, everybody), 1))
        await socket.next()
        await publish(suite, team, (received(case, everybody, everybody), 3))

        assert [(await socket.next())["type"] for _ in range(3)] == ["reload", "ready", "event"]


async def test_a_socket_goes_on_from_its_cursor_on_any_replica(suite: Suite, team: Team) -> None:
    case, everybody = a_case(team), audience(team)
    bodies = [received(case, everybody, everybody) for _ in range(4)]
    async with live(suite, team.owner) as socket:
        await ready(socket)
        await publish(suite, team, (bodies[0], 1))
        cursor = (await socket.next())["cursor"]
    await publish(suite, team, *[(body, n) for n, body in enumerate(bodies[1:], 2)])

    for url in (suite.url, suite.replica_url):
        async with live(suite, team.owner, cursor, url=url) as socket:
            assert await ready(socket) == cursor
            shown = [(await socket.next())["data"]["message"]["message_id"] for _ in range(3)]
            assert shown == [body.message.message_id for body in bodies[1:]]
            assert await socket.is_quiet()


@pytest.mark.parametrize("cursor", ["nonsense", "1-0-0"])
async def test_a_cursor_that_cannot_be_served_is_a_reason_to_reload(
    suite: Suite, team: Team, cursor: str
) -> None:
    async with live(suite, team.owner, cursor) as socket:
        assert await socket.next() == {"type": "reload"}
        assert await ready(socket)


async def test_a_client_that_does_not_read_is_told_to_reload_and_loses_nothing_unsaid(
    suite: Suite, team: Team
) -> None:
    case, everybody = a_case(team), audience(team)
    many = WAITING_AT_MOST + 350  # the sockets' own buffers hold about 200 of them
    async with small_window(suite) as slow, live(suite, team.owner) as other:
        await ready(other)
        reading = asyncio.create_task(read_messages(other, many))
        await slow.send(json.dumps({"token": team.owner.api.token}))
        assert json.loads(await slow.recv())["type"] == "ready"

        for first in range(1, many + 1, 50):
            bodies = [received(case, everybody, everybody) for _ in range(50)]
            await publish(
                suite,
                team,
                *[(with_text(body, "x" * 20_000), first + n) for n, body in enumerate(bodies)],
            )
        await reading

        types: list[str] = []
        async with asyncio.timeout(30):
            while not types or types[-1] != "reload":
                types.append(json.loads(await slow.recv())["type"])
            after = json.loads(await slow.recv())

    assert len(types) < many
    assert after["type"] == "ready"


async def read_messages(socket: Socket, count: int) -> None:
    """That many, or up to where this one falls behind too."""
    for _ in range(count):
        if (await socket.next())["type"] == "reload":
            return


@asynccontextmanager
async def small_window(suite: Suite) -> AsyncIterator[websockets.asyncio.client.ClientConnection]:
    """A socket that takes little before its client reads."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    own.setblocking(False)
    address = urlsplit(suite.url)
    await asyncio.get_running_loop().sock_connect(own, (address.hostname, address.port))
    url = suite.url.replace("http", "ws", 1) + "/v1/live"
    async with websockets.asyncio.client.connect(
        url, sock=own, max_queue=1, compression=None
    ) as connection:
        yield connection


def with_text(event: MessageReceived, text: str) -> MessageReceived:
    message = msgspec.structs.replace(event.message, content=Content(text=text))
    return msgspec.structs.replace(event, message=message)


async def test_a_notification_is_shown_to_its_member_only_and_once(
    suite: Suite, team: Team
) -> None:
    dima = await team.add(Role.OPERATOR)
    raised = NotificationRaised(
        notification_id="ntf_1",
        member_id=dima.member_id,
        kind="case-in-group",
        conversation_id="cnv_1",
        case_id="cas_1",
        raised_at=datetime.now(UTC),
    )
    message = outgoing(envelope(raised, dima.member_id, team.workspace_id))
    async with live(suite, dima) as his, live(suite, team.owner) as hers:
        await ready(his)
        await ready(hers)

        await suite.publisher.publish([message, message])
        frame = await his.next()

        assert frame["type"] == "notification"
        assert frame["notification"]["notification_id"] == "ntf_1"
        assert await his.is_quiet()
        assert await hers.is_quiet()


async def test_a_delivery_is_shown_to_those_who_may_see_its_conversation(
    suite: Suite, team: Team
) -> None:
    changed = MessageDeliveryChanged(
        conversation_id="cnv_9",
        case_id="cas_9",
        message_id="msg_9",
        state="delivered",
        recorded_at=datetime.now(UTC),
        audience=audience(team),
    )
    async with live(suite, team.owner) as socket:
        await ready(socket)

        sent = outgoing(envelope(changed, "cnv_9", team.workspace_id, 1))
        await suite.publisher.publish([sent])
        frame = await socket.next()

    assert frame["event"] == "parley.message.delivery-changed.v1"
    assert frame["data"] == {
        "conversation_id": "cnv_9",
        "case_id": "cas_9",
        "message_id": "msg_9",
        "state": "delivered",
    }


async def test_the_socket_closes_with_its_session(suite: Suite, team: Team) -> None:
    here = await team.owner.api.sign_in(team.owner.email, team.owner.password)
    member = Member(team.owner.member_id, team.owner.email, team.owner.password, here)
    async with (
        live(suite, member) as socket,
        live(suite, member, url=suite.replica_url) as elsewhere,
        live(suite, team.owner) as other,
    ):
        for one in (socket, elsewhere, other):
            await ready(one)

        await here("POST", "/v1/sign-out")

        assert await socket.next(1) == 4401
        assert await elsewhere.next(CHECK_SECONDS + 3) == 4401
        assert await other.is_quiet()


async def test_a_deactivated_members_socket_closes(suite: Suite, team: Team) -> None:
    dima = await team.add(Role.OPERATOR)
    async with live(suite, dima, url=suite.replica_url) as socket:
        await ready(socket)

        await team.owner.api("DELETE", f"/v1/members/{dima.member_id}")

        assert await socket.next(CHECK_SECONDS + 3) == 4401


async def test_an_event_reaches_the_socket_within_milliseconds(suite: Suite, team: Team) -> None:
    everybody = audience(team)
    seconds = []
    async with live(suite, team.owner) as socket:
        await ready(socket)
        for _ in range(20):
            body = received(a_case(team), everybody, everybody)
            began = asyncio.get_running_loop().time()
            await publish(suite, team, (body, 1))
            await socket.next()
            seconds.append(asyncio.get_running_loop().time() - began)
            await asyncio.sleep(0.02)

    # Nothing here waits for a poll or a batch: the fetch's longest wait would show as 0.5 s.
    assert sorted(seconds)[10] < 0.1, seconds
