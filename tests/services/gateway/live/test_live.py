"""``/v1/live`` on the real Kafka: who is shown what, how soon, and until when."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.events.conversation.case import CaseTaken
from libs.events.conversation.message import MessageDeliveryChanged
from libs.events.directory import Role
from libs.events.notification import NotificationRaised
from libs.runtime.kafka import outgoing
from services.gateway.live.room import OF_A_MEMBER
from services.gateway.live.socket import TOO_MANY
from services.gateway.live.watch import CHECK_SECONDS
from tests.support.eventually import eventually
from tests.support.gateway.sockets import Socket, a_case, audience, live, publish, ready, received
from tests.support.gateway.suite import Member, Suite, Team, new_team
from tests.support.kafka import envelope

pytestmark = pytest.mark.servers


type Staff = tuple[Team, dict[Role, Member]]


@pytest.fixture
def team(staff: Staff) -> Team:
    """One workspace for all of these tests: each has conversations of its own."""
    return staff[0]


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


async def test_a_member_has_only_so_many_sockets(suite: Suite, staff: Staff) -> None:
    team, members = staff
    owner, operator = team.owner, members[Role.OPERATOR]
    async with AsyncExitStack() as opened:
        for _ in range(OF_A_MEMBER):
            await ready(await opened.enter_async_context(live(suite, owner)))

        async with live(suite, owner) as too_many:
            assert await too_many.next() == TOO_MANY
        async with live(suite, operator) as of_another:
            await ready(of_another)

    async def has_room() -> bool:
        async with live(suite, owner) as again:
            return bool(await again.next() != TOO_MANY)

    await eventually(has_room)


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
        "attempt": 1,
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


async def test_an_event_does_not_wait_for_others_on_its_way_to_a_socket(
    suite: Suite, team: Team
) -> None:
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

    # Where a fetch waited for more, none of them would come before its longest wait, 0.5 s.
    assert min(seconds) < 0.4, seconds
