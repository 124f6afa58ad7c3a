"""``/v1/live`` on the real Kafka: each once and in order, on from a cursor, never a gap."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import msgspec
import pytest
import websockets.asyncio.client

from libs.events.content import Content
from libs.events.conversation.message import MessageReceived
from libs.events.directory import Role
from libs.runtime.kafka import outgoing
from services.gateway.live.subscriber import WAITING_AT_MOST
from tests.support.gateway.sockets import Socket, a_case, audience, live, publish, ready, received
from tests.support.gateway.suite import Api, Member, Suite, Team, new_team
from tests.support.kafka import envelope, of_newer_version

pytestmark = pytest.mark.servers


@pytest.fixture
def team(staff: tuple[Team, dict[Role, Member]]) -> Team:
    """One workspace for all of these tests: each has conversations of its own."""
    return staff[0]


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


async def test_what_only_a_newer_version_can_read_is_a_reason_to_reload(
    suite: Suite, team: Team
) -> None:
    case, everybody = a_case(team), audience(team)
    bodies = [received(case, everybody, everybody) for _ in range(3)]
    elsewhere = await new_team(suite, Api(suite.http, suite.url))
    first, unknown, last = (
        outgoing(envelope(body, case.conversation_id, team.workspace_id, n))
        for n, body in enumerate(bodies, 1)
    )
    newer = of_newer_version(unknown)
    async with live(suite, team.owner) as socket, live(suite, elsewhere.owner) as other:
        await ready(socket)
        await ready(other)
        await suite.publisher.publish([first])
        cursor = (await socket.next())["cursor"]
        await suite.publisher.publish([newer])
        assert [(await socket.next())["type"] for _ in range(2)] == ["reload", "ready"]

        # the same again is nothing new, and the next one no gap
        await suite.publisher.publish([newer, last])
        shown = await socket.next()
        assert shown["data"]["message"]["message_id"] == bodies[2].message.message_id
        assert await other.is_quiet()

    async with live(suite, team.owner, cursor) as socket:
        assert [(await socket.next())["type"] for _ in range(2)] == ["reload", "ready"]
    async with live(suite, team.owner, shown["cursor"]) as socket:
        assert await ready(socket) == shown["cursor"]


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
    # A few segments of loopback: with room for less than one, each waits for a timer of TCP's.
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200_000)
    own.setblocking(False)
    address = urlsplit(suite.url)
    await asyncio.get_running_loop().sock_connect(own, (address.hostname, address.port))
    url = suite.url.replace("http", "ws", 1) + "/v1/live"
    # What is left unread stands before the answer to its close: that is not waited for.
    async with websockets.asyncio.client.connect(
        url, sock=own, max_queue=1, compression=None, close_timeout=0.1, ping_interval=None
    ) as connection:
        yield connection


def with_text(event: MessageReceived, text: str) -> MessageReceived:
    message = msgspec.structs.replace(event.message, content=Content(text=text))
    return msgspec.structs.replace(event, message=message)
