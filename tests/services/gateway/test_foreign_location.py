"""Who is limited to one location sees nothing of another's cases, wherever they look."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.events.directory import Role
from tests.support.eventually import eventually
from tests.support.gateway.office import Office, until
from tests.support.gateway.sockets import ready
from tests.support.gateway.suite import Api

pytestmark = pytest.mark.servers

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 90
SECRET = "Таємниця Лесі"
PARAMETER = re.compile(r"\{[a-z_]+\}")
# What a workspace's members may know without seeing a case of it: the directory, their own things.
SHARED = (
    "/v1/workspace/",
    "/v1/me/",
    "/v1/api-tokens/",
    "/v1/locations/",
    "/v1/members/",
    "/v1/groups/",
    "/v1/sources/",
    "/v1/autoforward/",
    "/v1/labels/",
    "/v1/topics/",
    "/v1/fields/",
    "/v1/roles/",
    "/v1/notification-rules/",
    "/v1/crm-webhook/",
)
# An answer without an end: who is shown what of it is in `live/test_event_stream.py`.
ENDLESS = "/v1/live/"


@dataclass
class Foreign:
    """A case of one location, and the members of another who may do all that their role may."""

    office: Office
    conversation_id: str
    customer_id: str
    case_id: str
    message_id: str
    attachment_id: str
    strangers: list[Api]
    began: datetime
    elsewhere: str

    @property
    def ids(self) -> list[str]:
        return [
            self.conversation_id,
            self.customer_id,
            self.case_id,
            self.message_id,
            self.attachment_id,
        ]


@pytest.fixture(scope="module")
async def foreign(office: Office) -> Foreign:
    team = office.team
    elsewhere = (
        await team.owner.api("POST", "/v1/locations", {"name": "Lviv", "time_zone": "Europe/Kyiv"})
    ).body["location_id"]
    began = datetime.now(UTC) - timedelta(minutes=1)
    async with office.live(team.owner) as socket:
        await ready(socket)
        conversation_id = await office.receive(SECRET)
        frame = await until(socket, "parley.message.received.v1")
    owner, path = office.owner, f"/v1/conversations/{conversation_id}"
    await owner("POST", f"{path}/take")
    given = await owner("POST", "/v1/attachments?file_name=secret.png", PNG)
    file_id = given.body["attachment_id"]
    sent = await owner("POST", f"{path}/messages", {"text": SECRET, "attachments": [file_id]})
    assert sent.status == 201, sent.content
    customer_id = (await owner("GET", path)).body["customer"]["customer_id"]
    await owner("PATCH", f"/v1/customers/{customer_id}", {"name": SECRET, "tags": ["леся"]})
    await owner("POST", f"{path}/tags", {"add": ["леся"]})
    roles = (Role.OPERATOR, Role.ANALYST)
    strangers = [office.of(await team.add(role, location_ids=[elsewhere])) for role in roles]
    for stranger in strangers:
        await answered(stranger, "GET", "/v1/metrics/summary?from=2026-01-01&to=2026-01-02", 503)
    return Foreign(
        office,
        conversation_id,
        customer_id,
        frame["data"]["case"]["case_id"],
        sent.body["item"]["id"],
        file_id,
        strangers,
        began,
        elsewhere,
    )


async def answered(api: Api, method: str, path: str, *not_yet: int) -> None:
    """Other services hear of a member, or of a message, a moment later."""

    async def known() -> bool:
        return (await api(method, path)).status not in not_yet

    await eventually(known)


def reads(document: Any) -> list[str]:
    return [path for path, methods in document["paths"].items() if "get" in methods]


def asked(foreign: Foreign, path: str) -> list[str]:
    """The path with each of the ids in the place of each of its parameters, and with what its
    query needs."""
    query = ""
    if "/metrics/" in path:
        later = foreign.began + timedelta(days=1)
        query = f"?from={foreign.began:%Y-%m-%dT%H:%M:%SZ}&to={later:%Y-%m-%dT%H:%M:%SZ}"
        if path.endswith("performance"):
            return [f"{path}{query}&by={by}" for by in ("member", "source", "channel", "location")]
    if path in ("/v1/conversations", "/v1/customers"):
        words = ("Леся", "Таємниця", "леся", "%231", "Марія")
        tabs = ("new", "mine", "others", "done", "all", "unread", "important")
        both = [f"{path}?limit=50"]
        if path == "/v1/conversations":
            both += [f"{path}?q={one}" for one in words] + [f"{path}?tab={one}" for one in tabs]
            both += [
                f"{path}?tab=all&tag=леся",
                f"{path}?tab=all&source={foreign.office.source_id}",
            ]
        return both
    if PARAMETER.search(path) is None:
        return [path + query]
    if "{message_id}" in path:
        path = path.replace("{message_id}", foreign.message_id)
    return [PARAMETER.sub(one, path, count=1) + query for one in foreign.ids]


async def test_every_read_of_the_api_is_blind_to_another_locations_case(foreign: Foreign) -> None:
    """All GETs that the API has, with all ids that the case has: none is told of it."""
    paths = [
        p for p in reads(foreign.office.document) if not f"{p}/".startswith((*SHARED, ENDLESS))
    ]
    assert {"/v1/conversations/{id}/timeline", "/v1/attachments/{id}", "/v1/metrics/summary"} < set(
        paths
    )
    for stranger in foreign.strangers:
        for path in paths:
            for one in asked(foreign, path):
                answer = await stranger("GET", one)
                told = answer.content.decode(errors="replace")
                assert answer.status < 500, (one, told)
                assert SECRET not in told, one
                assert "Марія" not in told, one
                assert "леся" not in told, one
                assert not any(i in told for i in foreign.ids), (one, told)
                if PARAMETER.search(path):
                    assert answer.status in (403, 404), (one, answer.status)
                elif answer.status == 200 and "counts" in path:
                    assert not any(json.loads(told).values()), (one, told)
                elif answer.status == 200 and path.endswith("summary"):
                    assert answer.body["all"]["value"] == 0
                    assert answer.body["time_to_respond"]["measured"] == 0
                elif answer.status == 200 and path.endswith("performance"):
                    assert answer.body["items"] == []


async def test_and_no_command_tells_more(foreign: Foreign) -> None:
    path = f"/v1/conversations/{foreign.conversation_id}"
    stranger = foreign.strangers[0]
    for method, one, body in (
        ("POST", f"{path}/take", None),
        ("POST", f"{path}/messages", {"text": "hi"}),
        ("POST", f"{path}/notes", {"text": "hi"}),
        ("POST", f"{path}/tags", {"add": ["x"]}),
        ("PUT", f"{path}/draft", {"text": "hi"}),
        ("PATCH", f"{path}/messages/{foreign.message_id}", {"text": "hi"}),
        ("DELETE", f"{path}/messages/{foreign.message_id}", None),
        ("PATCH", f"/v1/customers/{foreign.customer_id}", {"name": "x"}),
        ("POST", f"/v1/customers/{foreign.customer_id}/block", None),
    ):
        answer = await stranger(method, one, body)
        assert answer.status == 404, (method, one, answer.content)
        assert SECRET not in answer.content.decode()


async def test_a_file_is_theirs_who_see_a_message_with_it_or_gave_it(foreign: Foreign) -> None:
    office = foreign.office
    path = f"/v1/attachments/{foreign.attachment_id}"
    assert (await office.owner("GET", path)).status == 200
    for stranger in foreign.strangers:
        hidden, missing = await stranger("GET", path), await stranger("GET", path[:-4] + "0000")
        assert (hidden.status, hidden.content) == (404, missing.content)

    # a file that is in no message yet is its giver's alone
    colleague = office.of(await office.team.add(Role.OPERATOR))
    await answered(colleague, "GET", path, 404, 503)
    given = await colleague("POST", "/v1/attachments?file_name=a.txt", b"draft")
    own = given.body["attachment_id"]
    assert (await colleague("GET", f"/v1/attachments/{own}")).content == b"draft"
    for other in (office.owner, *foreign.strangers):
        assert (await other("GET", f"/v1/attachments/{own}")).status == 404

    # nobody sends what they may not see, and so gets to see it
    mine = await office.receive("мій")
    conversation = f"/v1/conversations/{mine}"
    await answered(office.owner, "POST", f"{conversation}/take", 404)
    stolen = await office.owner("POST", f"{conversation}/messages", {"attachments": [own]})
    assert (stolen.status, stolen.body["errors"][0]["field"]) == (422, "attachments")
    again = {"text": "again", "attachments": [foreign.attachment_id]}
    assert (await office.owner("POST", f"{conversation}/messages", again)).status == 201
    assert (await colleague("GET", path)).status == 200


async def test_notifications_are_of_what_their_member_sees_now(foreign: Foreign) -> None:
    office, owner = foreign.office, foreign.office.owner
    there = {"location_ids": [office.team.location_id]}
    member = await office.team.add(Role.OPERATOR, **there)
    told = office.of(member)
    conversation_id = await office.receive("нове")
    path = f"/v1/conversations/{conversation_id}"
    await answered(told, "GET", path, 404, 503)
    assigned = await owner("POST", f"{path}/assign", {"member_id": member.member_id})
    assert assigned.status == 200, assigned.content

    async def listed() -> list[str]:
        page = await told("GET", "/v1/notifications?limit=10")
        return [one["conversation_id"] for one in page.body.get("items", ())]

    assert await eventually(listed) == [conversation_id]
    [shown] = (await told("GET", "/v1/notifications?limit=10")).body["items"]
    read = f"/v1/notifications/{shown['notification_id']}/read"
    assert (await told("POST", read)).body["conversation_id"] == conversation_id

    # when the case is in nobody's hands any more, and they go to another location
    assert (await owner("POST", f"{path}/unassign")).status == 200
    elsewhere = {"location_ids": [foreign.elsewhere]}
    assert (await owner("PATCH", f"/v1/members/{member.member_id}", elsewhere)).status == 200

    async def nothing() -> bool:
        return await listed() == []

    await eventually(nothing)
    hidden, missing = await told("POST", read), await told("POST", "/v1/notifications/ntf_1/read")
    assert (hidden.status, hidden.content) == (404, missing.content)
    assert (await told("GET", path)).status == 404


async def test_a_notification_out_of_sight_is_not_marked_as_read(foreign: Foreign) -> None:
    office, owner = foreign.office, foreign.office.owner
    here = {"location_ids": [office.team.location_id]}
    member = await office.team.add(Role.OPERATOR, **here)
    told, itself = office.of(member), f"/v1/members/{member.member_id}"
    conversation_id = await office.receive("ще одне")
    path = f"/v1/conversations/{conversation_id}"
    await answered(told, "GET", path, 404, 503)
    assigned = await owner("POST", f"{path}/assign", {"member_id": member.member_id})
    assert assigned.status == 200, assigned.content

    async def listed() -> list[dict[str, Any]]:
        return list((await told("GET", "/v1/notifications")).body.get("items", ()))

    [shown] = await eventually(listed)
    read = f"/v1/notifications/{shown['notification_id']}/read"

    # given that the case is out of their sight, when they mark what they were told of it
    assert (await owner("POST", f"{path}/unassign")).status == 200
    elsewhere = {"location_ids": [foreign.elsewhere]}
    assert (await owner("PATCH", itself, elsewhere)).status == 200
    await answered(told, "GET", path, 200, 503)
    assert (await told("POST", read)).status == 404

    # then it is unread, once they see the case again
    assert (await owner("PATCH", itself, here)).status == 200
    [still] = await eventually(listed)
    assert still == shown
    assert still.get("read_at") is None
