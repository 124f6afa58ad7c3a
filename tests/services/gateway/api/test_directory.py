"""The directory through the public API: who may change it, who sees what, and at once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.events.directory import Role
from services.gateway.api.attachments import LimitedFile
from tests.support.gateway.suite import (
    BOT_TOKEN,
    Api,
    Member,
    Suite,
    Team,
    choose_password,
    new_team,
)

pytestmark = pytest.mark.servers

Staff = tuple[Team, dict[Role, Member]]


async def widget(team: Team, **fields: Any) -> Any:
    body = {
        "channel": "widget",
        "name": "Shop",
        "location_id": team.location_id,
        "allowed_origins": ["https://shop.example"],
        **fields,
    }
    return await team.owner.api("POST", "/v1/sources", body)


@pytest.mark.parametrize(
    ("path", "body", "change"),
    [
        ("locations", {"name": "Podil", "time_zone": "Europe/Kyiv"}, {"name": "Obolon"}),
        ("groups", {"name": "Sales"}, {"name": "Support"}),
        (
            "members",
            {"name": "Dima", "email": "d@shop.example", "role": "operator"},
            {"name": "Dmytro"},
        ),
    ],
)
async def test_who_changes_a_thing_sees_it_in_the_next_request(
    staff: Staff, path: str, body: dict[str, Any], change: dict[str, Any]
) -> None:
    team, _ = staff
    owner = team.owner.api
    id_field = path[:-1] + "_id"

    made = await owner("POST", f"/v1/{path}", body)
    one = f"/v1/{path}/{made.body[id_field]}"
    read = await owner("GET", one)
    changed = await owner("PATCH", one, change)
    listed = await owner("GET", f"/v1/{path}")

    assert made.status == 201
    assert read.body | body == read.body
    assert changed.status == 200
    assert changed.body | change == changed.body
    assert changed.body in listed.body["items"]
    removed = await owner("DELETE", one)
    assert removed.status == 204
    assert removed.content == b""


async def test_a_source_is_connected_also_when_its_webhook_cannot_be_set_now(team: Team) -> None:
    made = await team.owner.api(
        "POST",
        "/v1/sources",
        {
            "channel": "telegram",
            "name": "Bot",
            "location_id": team.location_id,
            "credentials": {"bot_token": BOT_TOKEN},
        },
    )

    source_id = made.body["source_id"]
    url = f"https://hooks.parley.example/hooks/telegram/{source_id}"
    assert made.status == 201
    assert made.body["webhook"] == {
        "registered": False,
        "url": url,
        "error": "Частина Parley «ingest» зараз не відповідає",
    }
    read = await team.owner.api("GET", f"/v1/sources/{source_id}")
    assert read.body["webhook_url"] == url
    assert read.body["account"] == BOT_TOKEN.split(":")[0]
    can = read.body["capabilities"]
    assert can["text"] == {"unit": "characters", "text": 4096, "caption": 1024}
    assert can["corrections"]["delete_within_seconds"] == 48 * 60 * 60
    assert can["corrections"]["edit_within_seconds"] is None
    assert {"kinds": ["image"], "max_bytes": 10 * 2**20} in can["media"]
    assert (can["begins"], can["windows"], can["buttons"]["at_most"]) == ("customer", [], 100)
    assert BOT_TOKEN not in made.content.decode() + read.content.decode()
    assert "sealed" not in made.content.decode() + read.content.decode()
    again = await team.owner.api("POST", f"/v1/sources/{source_id}/register")
    assert (again.status, again.body) == (200, made.body)

    removed = await team.owner.api("DELETE", f"/v1/sources/{source_id}")
    assert removed.status == 200
    assert removed.body["connected"] is False
    assert removed.body["webhook"] == made.body["webhook"] | {"registered": True}


async def test_who_disconnects_a_source_is_told_what_became_of_its_webhook(
    suite: Suite, team: Team
) -> None:
    """Ingest answers here; the platform does not."""
    made = await widget(team)
    replica = Api(suite.http, suite.replica_url, team.owner.api.token)
    path = f"/v1/sources/{made.body['source_id']}"

    removed = await replica("DELETE", path)
    again = await replica("DELETE", path)
    unknown = await replica("DELETE", "/v1/sources/src_none")

    assert (removed.status, again.status, unknown.status) == (200, 200, 404)
    assert removed.body["webhook"]["registered"] is False
    assert "error" not in removed.body["webhook"]
    bot = {"channel": "telegram", "name": "Bot", "location_id": team.location_id}
    credentials = {"bot_token": "5" + BOT_TOKEN}
    made = await replica("POST", "/v1/sources", bot | {"credentials": credentials})
    removed = await replica("DELETE", f"/v1/sources/{made.body['source_id']}")
    assert removed.body["webhook"]["registered"] is True
    assert "спроби триватимуть добу" in removed.body["webhook"]["error"]


async def test_who_may_not_disconnects_nothing(staff: Staff) -> None:
    team, members = staff
    made = await widget(team)
    path = f"/v1/sources/{made.body['source_id']}"

    refused = await members[Role.OPERATOR].api("DELETE", path)

    assert refused.status == 403
    assert (await team.owner.api("GET", path)).body["connected"] is True


async def test_the_same_idempotency_key_makes_one_member_and_shows_the_same_password(
    suite: Suite, team: Team
) -> None:
    """The first answer may have been lost, and with it the only password."""
    body = {"name": "Ira", "email": "ira@shop.example", "role": "operator"}

    first, second = [
        await team.owner.api("POST", "/v1/members", body, {"idempotency-key": "k1"})
        for _ in range(2)
    ]

    assert (first.status, second.status) == (201, 201)
    assert first.body["member_id"] == second.body["member_id"]
    assert first.body["password"]
    assert second.body == first.body
    database = suite.mongo[suite.environment["PARLEY_MONGODB_DATABASE"]]
    for kept in ("gateway_accounts", "routing_answers"):
        documents = [one async for one in database[kept].find({})]
        assert documents
        assert first.body["password"] not in repr(documents)

    ira = await team.owner.api.with_token(None).sign_in("ira@shop.example", second.body["password"])
    await choose_password(ira, second.body["password"])
    third = await team.owner.api("POST", "/v1/members", body, {"idempotency-key": "k1"})
    assert (third.status, third.body.get("password")) == (201, None)


async def test_a_members_new_email_is_the_one_to_sign_in_with(team: Team) -> None:
    dima = await team.add(Role.OPERATOR)

    changed = await team.owner.api(
        "PATCH", f"/v1/members/{dima.member_id}", {"email": "New@shop.example"}
    )

    assert changed.status == 200
    assert await dima.api.sign_in("new@shop.example", dima.password)
    old = await dima.api("POST", "/v1/sign-in", {"email": dima.email, "password": dima.password})
    assert old.status == 401


async def test_an_address_that_a_crash_left_on_an_account_is_free_for_its_new_member(
    suite: Suite, team: Team
) -> None:
    dima = await team.add(Role.OPERATOR)
    await team.owner.api("PATCH", f"/v1/members/{dima.member_id}", {"email": "d2@shop.example"})
    await suite.accounts.update_one(
        {"member_id": dima.member_id}, {"$set": {"email": "d1@shop.example"}}
    )

    body = {"name": "Ira", "email": "d1@shop.example", "role": "operator"}
    made = await team.owner.api("POST", "/v1/members", body)

    assert made.status == 201
    assert await dima.api.sign_in("d1@shop.example", made.body["password"])
    assert await dima.api.sign_in("d2@shop.example", dima.password)


async def test_what_routing_refuses_is_passed_on_as_it_is(staff: Staff) -> None:
    team, _ = staff
    owner = team.owner.api
    body = {"name": "Again", "email": team.owner.email, "role": "operator"}

    taken = await owner("POST", "/v1/members", body)
    invalid = await owner("POST", "/v1/locations", {"name": "X", "time_zone": "Mars/Base"})
    unknown = await owner("PATCH", "/v1/groups/grp_nothing", {"name": "X"})

    assert (taken.status, invalid.status, unknown.status) == (422, 422, 404)
    assert taken.body["errors"][0]["field"] == "email"
    assert invalid.body["errors"][0]["field"] == "time_zone"
    assert invalid.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.MODERATOR, Role.ANALYST, Role.READ_ONLY])
async def test_only_owner_and_admin_change_the_directory(staff: Staff, role: Role) -> None:
    team, members = staff
    member = members[role]

    for method, path in (
        ("POST", "/v1/members"),
        ("PATCH", f"/v1/members/{member.member_id}"),
        ("DELETE", f"/v1/members/{team.owner.member_id}"),
        ("POST", "/v1/sources"),
        ("POST", "/v1/sources/src_1/register"),
        ("PUT", "/v1/notification-rules/case-in-group"),
    ):
        answer = await member.api(method, path, {})
        assert answer.status == 403, (method, path)
        assert answer.body["type"] == "urn:parley:problem:forbidden"


@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        (Role.READ_ONLY, "POST", "/v1/conversations/cnv_1/take", None),
        (Role.MODERATOR, "POST", "/v1/conversations/cnv_1/messages", {"text": "x"}),
        (Role.ANALYST, "POST", "/v1/conversations/cnv_1/notes", {"text": "x"}),
        (Role.READ_ONLY, "POST", "/v1/conversations/cnv_1/close", {}),
        (Role.MODERATOR, "POST", "/v1/conversations/cnv_1/reopen", None),
        (Role.MODERATOR, "POST", "/v1/attachments", b"x"),
        (Role.OPERATOR, "GET", "/v1/metrics/summary", None),
        (Role.READ_ONLY, "GET", "/v1/metrics/performance", None),
    ],
)
async def test_a_role_may_not_do_what_its_row_does_not_list(
    staff: Staff, role: Role, method: str, path: str, body: object
) -> None:
    _, members = staff
    member = members[role]

    assert (await member.api(method, path, body)).status == 403


async def test_a_service_that_does_not_answer_is_named_and_its_address_is_not(
    staff: Staff,
) -> None:
    team, _ = staff
    for path, part in (
        ("/v1/conversations", "conversation"),
        ("/v1/metrics/summary", "analytics"),
        ("/v1/notifications", "notify"),
        ("/v1/attachments/att_1", "ingest"),
    ):
        answer = await team.owner.api("GET", path)
        assert answer.status == 503
        assert answer.body["part"] == part
        assert answer.headers["retry-after"] == "1"
        assert "127.0.0.1" not in answer.content.decode()


async def test_members_see_the_locations_groups_and_sources_that_are_theirs(team: Team) -> None:
    other = (await team.owner.api("POST", "/v1/locations", {"name": "Lviv"})).body["location_id"]
    dima = await team.add(Role.OPERATOR, location_ids=[team.location_id])
    ira = await team.add(Role.OPERATOR, location_ids=[other])
    sales = await team.group("Sales", dima)
    source = (await widget(team)).body["source_id"]

    assert await _ids(dima, "locations") == [team.location_id]
    assert await _ids(ira, "locations") == [other]
    assert await _ids(dima, "groups") == [sales]
    assert await _ids(ira, "groups") == []
    assert await _ids(dima, "sources") == [source]
    assert await _ids(ira, "sources") == []
    assert (await ira.api("GET", f"/v1/sources/{source}")).status == 404
    assert (await ira.api("GET", f"/v1/groups/{sales}")).status == 404
    assert len(await _ids(ira, "members")) == 3


async def test_another_workspace_is_not_there(team: Team, suite: Suite, api: Api) -> None:
    other = await new_team(suite, api)

    for method, path in (
        ("GET", f"/v1/locations/{other.location_id}"),
        ("PATCH", f"/v1/members/{other.owner.member_id}"),
        ("DELETE", f"/v1/locations/{other.location_id}"),
    ):
        assert (await team.owner.api(method, path, {})).status == 404


async def test_lists_come_in_pages(team: Team) -> None:
    for name in ("A", "B", "C"):
        await team.group(name)

    first = await team.owner.api("GET", "/v1/groups?limit=2")
    second = await team.owner.api("GET", f"/v1/groups?limit=2&cursor={first.body['next']}")
    wrong = await team.owner.api("GET", "/v1/groups?limit=none")

    assert (len(first.body["items"]), len(second.body["items"])) == (2, 1)
    assert "next" not in second.body
    assert wrong.status == 422


@pytest.mark.parametrize("path", ["%2e%2e", "a%20b", "x" * 200, "cnv%3f", "a%0ab"])
async def test_an_id_that_is_none_never_reaches_another_service(staff: Staff, path: str) -> None:
    team, _ = staff
    # Had it been passed on, the answer were 503: nobody listens there.
    assert (await team.owner.api("GET", f"/v1/conversations/{path}")).status == 404


async def test_bodies_and_files_over_the_limit_are_refused(staff: Staff) -> None:
    team, _ = staff
    owner = team.owner.api

    note = await owner("POST", "/v1/conversations/cnv_1/notes", b" " * 1_000_001)
    group = await owner("POST", "/v1/groups", b" " * 1_000_001)
    declared = await owner("POST", "/v1/attachments", b"x" * 100_001)

    assert (note.status, group.status, declared.status) == (413, 413, 413)


async def _ids(member: Any, path: str) -> list[str]:
    answer = await member.api("GET", f"/v1/{path}")
    assert answer.status == 200
    return [item[path[:-1] + "_id"] for item in answer.body["items"]]


async def test_a_file_breaks_off_where_it_is_over_the_limit() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"1234"

    file, passed = LimitedFile(chunks(), 9), b""
    with pytest.raises(ValueError, match="over the limit"):  # noqa: PT012  # what passed before it
        async for chunk in file:
            passed += chunk

    assert passed == b"12341234"
    assert file.is_over
    assert b"".join([chunk async for chunk in LimitedFile(chunks(), 12)]) == b"1234" * 3


async def test_members_choose_the_language_that_they_are_spoken_to_in(staff: Staff) -> None:
    team, members = staff
    reader = members[Role.READ_ONLY]
    nowhere = "/v1/locations/loc_nowhere"

    chosen = await reader.api("PATCH", "/v1/me", {"language": "ru"})
    told = await reader.api("GET", nowhere)
    asked = await reader.api("GET", nowhere, headers={"accept-language": "en"})

    assert (chosen.status, chosen.body["language"]) == (200, "ru")
    assert (await reader.api("GET", "/v1/me")).body["member"]["language"] == "ru"
    assert told.body["title"] == "Здесь ничего нет"
    assert asked.body["title"] == "There is nothing here"

    # A refusal of the service behind, too; nobody else hears it.
    refused = await reader.api("PATCH", "/v1/me", {"language": "de", "name": "Ada"})
    assert (refused.status, refused.body["errors"]) == (
        422,
        [{"field": "language", "message": "должно быть одно из: en, ru, uk"}],
    )
    assert (await team.owner.api("GET", nowhere)).body["title"] == "Тут нічого немає"

    # Who manages the directory may choose for them, and give them the workspace's again.
    path = f"/v1/members/{reader.member_id}"
    assert (await team.owner.api("PATCH", path, {"name": "Reader"})).body["language"] == "ru"
    back = await team.owner.api("PATCH", path, {"language": None})
    assert "language" not in back.body
    assert (await reader.api("GET", nowhere)).body["title"] == "Тут нічого немає"
    assert (await reader.api.with_token(None)("PATCH", "/v1/me", {})).status == 401
