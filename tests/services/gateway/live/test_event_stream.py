"""``GET /v1/live``: the frames of the sockets as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from libs.events.directory import Role
from libs.runtime.process import running
from libs.runtime.settings import load
from services.gateway.app import SERVICE
from services.gateway.live.room import OF_A_MEMBER
from services.gateway.live.socket import MOVE, TOO_MANY
from services.gateway.settings import GatewaySettings
from tests.support.eventually import eventually
from tests.support.gateway.sockets import a_case, audience, live, publish, ready, received
from tests.support.gateway.suite import Member, Suite, Team
from tests.support.http import ready as serves

pytestmark = pytest.mark.servers

type Staff = tuple[Team, dict[Role, Member]]


@pytest.fixture
def team(staff: Staff) -> Team:
    """One workspace for all of these tests: each has conversations of its own."""
    return staff[0]


@dataclass(frozen=True)
class Event:
    name: str
    id: str | None
    frame: dict[str, object]


class Events:
    """The events of an answer, as a browser's EventSource reads them."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self, seconds: float = 10) -> Event | None:
        """The next event; None where the stream has ended."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(seconds):
            while line := (await self.answer.content.readline()).decode():
                if line == "\n" and fields:
                    return Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
        return None


@asynccontextmanager
async def events(
    suite: Suite, member: Member, last_id: str | None = None, *, url: str | None = None
) -> AsyncIterator[Events]:
    headers = {"authorization": f"Bearer {member.api.token}"}
    if last_id is not None:
        headers["last-event-id"] = last_id
    async with suite.http.get((url or suite.url) + "/v1/live", headers=headers) as answer:
        assert answer.status == 200, await answer.read()
        assert answer.content_type == "text/event-stream"
        yield Events(answer)


async def test_an_event_is_the_socket_s_frame_with_its_type_and_cursor(
    suite: Suite, team: Team
) -> None:
    case, everybody = a_case(team), audience(team)
    async with events(suite, team.owner) as stream, live(suite, team.owner) as socket:
        await ready(socket)
        first = await stream.next()

        await publish(suite, team, (received(case, everybody, everybody), 1))
        shown, frame = await stream.next(), await socket.next()

    assert first is not None
    assert (first.name, first.id) == ("ready", first.frame["cursor"])
    assert shown == Event("event", frame["cursor"], frame)
    assert frame["data"]["message"]["content"] == {"text": "Добрий день"}


async def test_only_those_of_the_group_are_shown_its_cases(suite: Suite, team: Team) -> None:
    dima, ira = await team.add(Role.OPERATOR), await team.add(Role.OPERATOR)
    sales = audience(team, group_id=await team.group("Sales", dima))
    case, public = a_case(team), a_case(team)
    async with events(suite, dima) as his, events(suite, ira) as hers:
        await his.next()
        await hers.next()

        await publish(suite, team, (received(case, sales, sales), 1))
        to_him = await his.next()
        # Two conversations may be on two partitions: only now is the second one read after it.
        await publish(suite, team, (received(public, audience(team), audience(team)), 1))
        to_her = await hers.next()

    assert to_him is not None
    assert to_him.frame["conversation_id"] == case.conversation_id
    assert to_her is not None
    assert to_her.frame["conversation_id"] == public.conversation_id


async def test_who_comes_again_goes_on_after_the_last_event(suite: Suite, team: Team) -> None:
    case, everybody = a_case(team), audience(team)
    async with events(suite, team.owner) as stream:
        await stream.next()
        await publish(suite, team, (received(case, everybody, everybody), 1))
        seen = await stream.next()
    assert seen is not None
    missed = received(case, everybody, everybody)
    await publish(suite, team, (missed, 2))

    async with events(suite, team.owner, seen.id) as again:
        first, second = await again.next(), await again.next()

    assert first is not None
    assert (first.name, first.id) == ("ready", seen.id)
    assert second is not None
    assert second.frame["data"]["message"]["message_id"] == missed.message.message_id  # type: ignore[index]


async def test_who_comes_with_a_cursor_of_nobodys_is_told_to_reload(
    suite: Suite, team: Team
) -> None:
    async with events(suite, team.owner, "never-made") as stream:
        first, second = await stream.next(), await stream.next()

    assert first is not None
    assert (first.name, first.id) == ("reload", None)
    assert second is not None
    assert second.name == "ready"
    assert second.id != "never-made"


async def test_nobody_is_shown_anything_without_a_token(suite: Suite) -> None:
    async with suite.http.get(suite.url + "/v1/live") as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"


async def test_a_member_has_only_so_many_streams_and_sockets_together(
    suite: Suite, staff: Staff
) -> None:
    member = staff[1][Role.ADMIN]
    headers = {"authorization": f"Bearer {member.api.token}"}
    async with AsyncExitStack() as opened:
        await ready(await opened.enter_async_context(live(suite, member)))
        for _ in range(OF_A_MEMBER - 1):
            await (await opened.enter_async_context(events(suite, member))).next()

        async with suite.http.get(suite.url + "/v1/live", headers=headers) as refused:
            assert refused.status == 429
            assert int(refused.headers["retry-after"]) >= 1
        async with live(suite, member) as too_many:
            assert await too_many.next() == TOO_MANY

    async def has_room() -> bool:
        async with suite.http.get(suite.url + "/v1/live", headers=headers) as again:
            return again.status == 200

    await eventually(has_room)


async def test_a_stream_ends_with_its_session(suite: Suite, team: Team) -> None:
    member = await team.add(Role.OPERATOR)
    async with events(suite, member) as stream:
        await stream.next()

        await member.api("POST", "/v1/sign-out")

        assert await stream.next() is None


async def test_a_gateway_that_stops_sends_its_clients_to_another(suite: Suite, team: Team) -> None:
    case, everybody = a_case(team), audience(team)
    async with AsyncExitStack() as clients:
        async with running(SERVICE, load(GatewaySettings, suite.environment)) as (url, _):
            await serves(suite.http, url)
            stream = await clients.enter_async_context(events(suite, team.owner, url=url))
            socket = await clients.enter_async_context(live(suite, team.owner, url=url))
            await ready(socket)
            first = await stream.next()
            # Before it stops: who reads a close frame later has lost the connection as well.
            ends = asyncio.gather(stream.next(), socket.next())

        assert list(await ends) == [None, MOVE]

    assert first is not None
    await publish(suite, team, (received(case, everybody, everybody), 1))
    async with events(suite, team.owner, first.id) as elsewhere:
        await elsewhere.next()
        shown = await elsewhere.next()
    assert shown is not None
    assert shown.frame["conversation_id"] == case.conversation_id
