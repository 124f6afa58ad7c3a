"""The directory over HTTP, and what it puts on its topic."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from libs.events.directory import Role
from libs.events.envelope import read_envelope
from libs.events.ids import IdKey
from libs.runtime.mongo import mongo_client
from libs.runtime.sealing import Sealer
from libs.runtime.tokens import ServiceTokens
from services.routing.domain.permissions import actions_of
from tests.support.routing.service import (
    BOT_TOKEN,
    DEPLOYMENT_KEY,
    NEW_WORKSPACE,
    Client,
    Routing,
    headers_of,
)
from tests.support.trust import tokens_of

pytestmark = pytest.mark.servers


async def _telegram(client: Client, location_id: str, **changes: object) -> Any:
    body = {
        "channel": "telegram",
        "name": "Shop bot",
        "location_id": location_id,
        "credentials": {"bot_token": BOT_TOKEN},
    }
    return await client.call("POST", "/v1/sources", body | changes)


async def test_a_workspace_opens_whole(routing: Routing, client: Client) -> None:
    answer = await client.call("POST", "/v1/workspaces", NEW_WORKSPACE, workspace_id="")

    assert answer.status == 201
    opened = answer.body
    workspace_id = opened["workspace"]["workspace_id"]
    assert opened["location"]["time_zone"] == "Europe/Kyiv"
    assert opened["owner"]["role"] == "owner"
    records = await routing.records(9)
    assert answer.offset == records[-1].offset
    assert {record.key.decode() for record in records} == {
        workspace_id,
        opened["location"]["location_id"],
        opened["owner"]["member_id"],
        *(f"{workspace_id}:role:{role}" for role in Role),
    }
    for record in records:
        envelope = read_envelope(record.key, record.headers, record.value)
        assert (envelope.workspace_id, envelope.sequence) == (workspace_id, 1)
        assert envelope.subject == envelope.key
    roles = [json.loads(r.value) for r in records if b":role:" in r.key]
    assert {one["role"]: tuple(one["actions"]) for one in roles} == {
        role: actions_of(role) for role in Role
    }


async def test_things_are_added_changed_and_removed(routing: Routing, client: Client) -> None:
    opened = await client.open_workspace()
    owner_id = opened["owner"]["member_id"]

    location = await client.done("POST", "/v1/locations", {"name": "Lviv"})
    member = await client.done(
        "POST",
        "/v1/members",
        {
            "name": "Petro",
            "email": "petro@coffee.example",
            "role": "operator",
            "location_ids": [location["location_id"]],
        },
    )
    group = await client.done(
        "POST", "/v1/groups", {"name": "Sales", "member_ids": [member["member_id"], owner_id]}
    )
    source = (await _telegram(client, location["location_id"])).body
    rule = await client.done(
        "POST",
        "/v1/autoforwards",
        {"source_ids": [source["source_id"]], "group_id": group["group_id"]},
    )
    changed = await client.done(
        "PATCH",
        f"/v1/locations/{location['location_id']}",
        {"time_zone": "Europe/Kyiv", "name": "Lviv"},
    )
    deactivated = await client.done("DELETE", f"/v1/members/{member['member_id']}")
    blocked = await client.call("DELETE", f"/v1/groups/{group['group_id']}")
    removed = await client.call("DELETE", f"/v1/autoforwards/{rule['autoforward_id']}")
    gone = await client.call("DELETE", f"/v1/groups/{group['group_id']}")

    assert changed == {
        "location_id": location["location_id"],
        "name": "Lviv",
        "time_zone": "Europe/Kyiv",
    }
    assert deactivated["active"] is False
    assert blocked.status == 409
    assert (removed.status, gone.status) == (204, 204)
    assert (await client.call("DELETE", f"/v1/groups/{group['group_id']}")).status == 404
    records = await routing.records(9 + 9)
    tombstone = records[-1]
    assert (tombstone.offset, tombstone.key.decode()) == (gone.offset, group["group_id"])
    assert tombstone.value is None
    assert headers_of(tombstone)["ce_sequence"] == "2"
    assert headers_of(tombstone)["ce_type"] == "parley.directory.group.v1"


async def test_credentials_travel_sealed_and_are_never_shown(
    routing: Routing, client: Client
) -> None:
    opened = await client.open_workspace()

    answer = await _telegram(client, opened["location"]["location_id"])

    source_id = IdKey(DEPLOYMENT_KEY).source(client.workspace_id, "telegram", "4839574812")
    assert answer.body["source_id"] == source_id
    assert answer.body["account"] == "4839574812"
    assert "sealed_credentials" not in answer.body
    secret = BOT_TOKEN.partition(":")[2]
    records = await routing.records(10)
    assert not any(secret.encode() in (record.value or b"") for record in records)
    state = json.loads(records[-1].value)
    opened_up = Sealer(DEPLOYMENT_KEY, "credentials").open(state["sealed_credentials"], source_id)
    credentials = json.loads(opened_up)
    assert credentials["bot_token"] == BOT_TOKEN
    assert len(credentials["secret_token"]) >= 32


async def test_a_source_that_comes_back_is_the_same(client: Client) -> None:
    opened = await client.open_workspace()
    location_id = opened["location"]["location_id"]
    first = (await _telegram(client, location_id)).body

    twice = await _telegram(client, location_id)
    off = await client.done("DELETE", f"/v1/sources/{first['source_id']}")
    changed_while_off = await client.call(
        "PATCH", f"/v1/sources/{first['source_id']}", {"name": "No"}
    )
    again = await _telegram(client, location_id, name="Shop bot, again")

    assert twice.status == 409
    assert off["connected"] is False
    assert changed_while_off.status == 409
    assert again.status == 201
    assert again.body["source_id"] == first["source_id"]
    assert again.body.get("connected", True) is True


async def test_a_widget_keeps_its_id_over_a_reconnection(client: Client) -> None:
    opened = await client.open_workspace()
    widget = await client.done(
        "POST",
        "/v1/sources",
        {
            "channel": "widget",
            "name": "Site",
            "location_id": opened["location"]["location_id"],
            "allowed_origins": ["https://Shop.example:443", "http://localhost:3000"],
        },
    )
    path = f"/v1/sources/{widget['source_id']}"

    await client.done("DELETE", path)
    again = await client.done("PATCH", path, {"connected": True})

    assert widget["allowed_origins"] == ["https://shop.example", "http://localhost:3000"]
    assert {k: v for k, v in again.items() if k != "connected"} == {
        k: v for k, v in widget.items() if k != "connected"
    }


async def test_the_last_owner_stays(client: Client) -> None:
    owner_id = (await client.open_workspace())["owner"]["member_id"]

    demoted = await client.call("PATCH", f"/v1/members/{owner_id}", {"role": "admin"})
    deactivated = await client.call("DELETE", f"/v1/members/{owner_id}")

    assert (demoted.status, deactivated.status) == (409, 409)


async def test_of_two_owners_who_leave_at_once_one_stays(client: Client) -> None:
    first = (await client.open_workspace())["owner"]["member_id"]
    second = (
        await client.done(
            "POST", "/v1/members", {"name": "Ira", "email": "ira@a.example", "role": "owner"}
        )
    )["member_id"]

    answers = await asyncio.gather(
        *(client.call("DELETE", f"/v1/members/{one}", member_id=one) for one in (first, second))
    )

    assert sorted(answer.status for answer in answers) == [200, 409]


async def test_of_many_who_take_one_address_one_gets_it(client: Client) -> None:
    await client.open_workspace()
    emails = ["Taras@coffee.example", "taras@COFFEE.example", "TARAS@coffee.example"]

    answers = await asyncio.gather(
        *(
            client.call("POST", "/v1/members", {"name": "T", "email": e, "role": "operator"})
            for e in emails
        )
    )

    assert sorted(answer.status for answer in answers) == [201, 422, 422]


INVALID: list[tuple[str, dict[str, object], str]] = [
    ("/v1/locations", {"name": " "}, "name"),
    ("/v1/locations", {"name": "x" * 201}, "name"),
    ("/v1/locations", {"name": "a", "time_zone": "Europe/Nowhere"}, "time_zone"),
    ("/v1/locations", {"name": "a", "timezone": "UTC"}, "timezone"),
    ("/v1/locations", {}, "name"),
    ("/v1/members", {"name": "a", "email": "a@b", "role": "operator"}, "email"),
    ("/v1/members", {"name": "a", "email": "a@b.c", "role": "king"}, "role"),
    (
        "/v1/members",
        {"name": "a", "email": "a@b.c", "role": "operator", "location_ids": ["loc_x"]},
        "location_ids",
    ),
    (
        "/v1/members",
        {"name": "a", "email": "Olena@Coffee.example", "role": "operator"},
        "email",
    ),
    ("/v1/groups", {"name": "a", "member_ids": ["mbr_x"]}, "member_ids"),
    ("/v1/autoforwards", {"source_ids": ["src_x"], "group_id": "grp_x"}, "source_ids"),
    ("/v1/sources", {"channel": "fax", "name": "a", "location_id": "loc_x"}, "channel"),
    (
        "/v1/sources",
        {
            "channel": "telegram",
            "name": "a",
            "location_id": "loc_x",
            "credentials": {"bot_token": BOT_TOKEN},
        },
        "location_id",
    ),
]


async def test_what_is_not_valid_is_named(client: Client) -> None:
    await client.open_workspace()

    for path, body, field in INVALID:
        answer = await client.call("POST", path, body)

        assert (answer.status, answer.fields) == (422, [field]), body
        assert answer.headers["content-type"] == "application/problem+json"


async def test_who_may_not_is_refused(client: Client) -> None:
    await client.open_workspace()
    stranger = ServiceTokens("gateway", bytes(32))
    ingest = tokens_of("ingest")
    body = {"name": "Lviv"}

    assert (await client.call("POST", "/v1/locations", body, actions=())).status == 403
    assert (await client.call("POST", "/v1/locations", body, tokens=stranger)).status == 401
    assert (await client.call("POST", "/v1/workspaces", NEW_WORKSPACE, tokens=ingest)).status == 403
    async with client.session.post("/v1/locations", json=body) as answer:
        assert answer.status == 401


async def test_another_workspaces_things_are_not_there(client: Client) -> None:
    theirs = await client.open_workspace()
    location = f"/v1/locations/{theirs['location']['location_id']}"
    await client.open_workspace(owner_email="other@other.example")

    assert (await client.call("PATCH", location, {"name": "Mine"})).status == 404
    assert (await client.call("DELETE", location)).status == 404
    unknown = await client.call("POST", "/v1/locations", {"name": "a"}, workspace_id="wsp_none")
    assert unknown.status == 404


async def test_malformed_and_oversized_bodies(client: Client) -> None:
    await client.open_workspace()

    malformed = await client.call("POST", "/v1/locations", b"{")
    oversized = await client.call("POST", "/v1/locations", b" " * 300_000)

    assert (malformed.status, oversized.status) == (400, 413)


async def test_a_repeated_post_is_answered_as_the_first(routing: Routing, client: Client) -> None:
    body = NEW_WORKSPACE
    opened = await asyncio.gather(
        *(client.call("POST", "/v1/workspaces", body, key="boot") for _ in range(3))
    )
    client.workspace_id = opened[0].body["workspace"]["workspace_id"]
    client.member_id = opened[0].body["owner"]["member_id"]
    added = [await client.call("POST", "/v1/groups", {"name": "Sales"}, key="k1") for _ in "ab"]
    refused = [await client.call("POST", "/v1/groups", {"name": ""}, key="k2") for _ in "ab"]
    reused = await client.call("POST", "/v1/groups", {"name": "Other"}, key="k1")

    assert {one.status for one in opened} == {201}
    assert len({one.text for one in opened}) == 1
    assert added[0] == added[1]
    assert (refused[0].status, refused[1].text) == (422, refused[0].text)
    assert (reused.status, reused.fields) == (422, ["idempotency-key"])
    assert len(await routing.records(10)) == 10


async def test_a_repeat_whose_first_answer_was_lost(
    routing: Routing, client: Client, mongodb_url: str, mongodb_name: str
) -> None:
    await client.open_workspace()
    first = await client.call("POST", "/v1/groups", {"name": "Sales"}, key="k1")
    async with mongo_client(mongodb_url, "tests") as mongo:
        await mongo[mongodb_name]["routing_answers"].delete_many({})

    again = await client.call("POST", "/v1/groups", {"name": "Sales"}, key="k1")

    assert (again.status, again.text) == (first.status, first.text)
    assert again.offset >= first.offset
    assert len(await routing.records(10)) == 10


async def test_what_changes_nothing_writes_nothing(routing: Routing, client: Client) -> None:
    opened = await client.open_workspace()
    location = opened["location"]

    answer = await client.call(
        "PATCH", f"/v1/locations/{location['location_id']}", {"name": location["name"]}
    )

    assert (answer.status, answer.body) == (200, location)
    assert answer.offset == (await routing.records(9))[-1].offset
    assert msgspec.json.decode(answer.text) == location
