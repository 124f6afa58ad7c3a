"""What is at or beyond the limits of a value, asked through the gateway and all the services."""

import asyncio
import unicodedata
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from structlog.testing import capture_logs

from tests.support.gateway.office import Office

pytestmark = pytest.mark.servers

BEYOND = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "1969-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
)


@pytest.mark.parametrize("instant", BEYOND)
async def test_an_instant_that_cannot_be_held_is_refused_wherever_it_is_said(
    office: Office, instant: str
) -> None:
    one = await office.receive("Коли ви відчинені?")
    ask, owner, me = office.ask, office.owner, office.team.owner.member_id
    row = await office.shown(one)
    customer = row["customer"]["customer_id"]
    bodies: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("/v1/conversations/{id}/assign", one, "due_at", {"member_id": me}),
        ("/v1/conversations/{id}/due", one, "due_at", {}),
        ("/v1/conversations/{id}/activities", one, "occurred_at", {"activity": "ordered"}),
        ("/v1/customers/{id}/activities", customer, "occurred_at", {"activity": "ordered"}),
        ("/v1/customers/{id}/acquisition", customer, "at", {"tool": "x"}),
        ("/v1/saved-filters", "", "filter.active_from", {"name": "A"}),
    )
    for path, thing, field, body in bodies:
        head, _, last = field.rpartition(".")
        asked = {**body, **({head: {last: instant}} if head else {last: instant})}
        answer = await ask(owner, "POST", path, thing, asked)
        assert answer.status == 422, (path, answer)
        assert answer.body["errors"][0]["field"] == field, answer.body
    today = quote(datetime.now(UTC).isoformat())
    at = quote(instant)
    queries = [
        *(f"/v1/conversations?{name}={at}" for name in ("active_from", "active_to")),
        *(f"/v1/conversations?{name}={at}" for name in ("opened_from", "opened_to")),
        f"/v1/conversations/{one}?as_of={at}",
        f"/v1/conversations/{one}/timeline?as_of={at}",
        f"/v1/metrics/summary?from={at}&to={today}",
        f"/v1/metrics/summary?from={today}&to={at}",
        f"/v1/metrics/performance?by=member&from={at}&to={today}",
    ]
    for path in queries:
        answer = await owner("GET", path)
        assert answer.status == 422, (path, answer)
    # Nothing of it was kept: the conversation goes on.
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    kept = await ask(
        owner, "POST", "/v1/conversations/{id}/assign", one, {"member_id": me, "due_at": later}
    )
    assert kept.status == 200, kept


DEEP = b"[" * 10_000
ORIGIN = "https://shop.example"


async def raw(url: str, request: bytes, *, leave: bool = False) -> bytes:
    """The answer to bytes that no client library would send; nothing is read before leaving."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request)
    await writer.drain()
    answer = b"" if leave else await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("value", [b"\xff", b"00-\xd1\x8f", b"00-" + b"f" * 4_000, b""])
async def test_a_trace_that_is_none_stops_no_request(office: Office, value: bytes) -> None:
    headers = b"\r\nhost: x\r\ntraceparent: " + value + b"\r\ntracestate: \xfe=1"
    headers += b"\r\naccept-language: \xfe,uk;q=inf\r\nauthorization: Bearer \xff\r\n\r\n"
    for url in (office.suite.url, office.suite.replica_url, office.suite.ingest_url):
        for path, status in ((b"/healthz", b" 200 "), (b"/v1/nowhere", b" 404 ")):
            answer = await raw(url, b"GET " + path + b" HTTP/1.1" + headers)
            assert status in answer.splitlines()[0], answer
    answer = await raw(office.suite.url, b"GET /v1/me HTTP/1.1" + headers)
    assert b" 401 " in answer.splitlines()[0], answer


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/groups", "GET, HEAD, POST"),
        ("POST", "/v1/groups/x", "DELETE, GET, HEAD, PATCH"),
        ("GET", "/v1/sign-in", "POST"),
        ("DELETE", "/healthz", "GET, HEAD"),
    ],
)
async def test_what_a_path_does_not_take_is_told_with_what_it_takes(
    office: Office, method: str, path: str, allowed: str
) -> None:
    answer = await office.owner(method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allowed
    assert answer.headers["content-type"] == "application/problem+json"


async def test_who_breaks_off_is_no_bug_of_ours(office: Office) -> None:
    start = b" HTTP/1.1\r\nhost: x\r\norigin: " + ORIGIN.encode()
    start += b"\r\ncontent-length: 5000\r\nauthorization: Bearer "
    start += (office.owner.token or "").encode() + b'\r\n\r\n{"a'
    with capture_logs() as logs:
        for url, path in (
            (office.suite.replica_url, "/v1/sign-in"),
            (office.suite.replica_url, "/v1/saved-filters"),
            (office.suite.replica_url, "/v1/attachments"),
            (office.suite.ingest_url, f"/widget/{office.source_id}/session"),
            (office.suite.ingest_url, "/hooks/telegram/src_1"),
        ):
            await raw(url, b"POST " + path.encode() + start, leave=True)
        # Asked over connections that were opened later, and so answered after those.
        assert (await office.owner("GET", "/v1/me")).status == 200
        await asyncio.sleep(0.2)
    assert [one for one in logs if one["log_level"] == "error"] == []


async def test_what_is_nested_without_end_is_refused(office: Office) -> None:
    http, ingest = office.suite.http, office.suite.ingest_url
    nested = b'{"later":' + DEEP
    headers = {"origin": ORIGIN, "content-type": "application/json"}
    session = f"{ingest}/widget/{office.source_id}/session"
    async with http.post(session, data=nested, headers=headers) as answer:
        assert answer.status == 422
    async with http.post(session, data=b"{}", headers=headers) as answer:
        token = (await answer.json())["token"]
    headers["authorization"] = f"Bearer {token}"
    for path in (f"/hooks/widget/{office.source_id}", f"/widget/{office.source_id}/files"):
        async with http.post(ingest + path, data=nested, headers=headers) as answer:
            assert answer.status == 422, path
    frame = nested[:8_000].decode()
    live = f"{ingest}/widget/{office.source_id}/live"
    async with http.ws_connect(live, headers={"origin": ORIGIN}) as socket:
        await socket.send_str(frame)
        await socket.receive(10)
        assert socket.close_code == 4408
    async with http.ws_connect(office.suite.url + "/v1/live") as socket:
        await socket.send_str(frame)
        await socket.receive(10)
        assert socket.close_code == 4400
    for path in ("/v1/sign-in", "/v1/saved-filters", "/v1/groups"):
        assert (await office.owner("POST", path, nested)).status in (400, 422), path


@pytest.mark.parametrize("media_type", ["тип/файл", "a/" + "b" * 5_000, "text/plain; x=б", "/"])
async def test_a_file_of_any_type_and_name_can_be_downloaded(
    office: Office, media_type: str
) -> None:
    name = "звіт 👩" * 30 + ".txt"
    uploaded = await office.owner(
        "POST",
        f"/v1/attachments?file_name={quote(name)}",
        b"text",
        {"content-type": media_type},
    )
    assert uploaded.status == 201, uploaded
    file = await office.owner("GET", f"/v1/attachments/{uploaded.body['attachment_id']}")
    assert (file.status, file.content) == (200, b"text")
    assert file.headers["content-type"].isascii()
    assert "filename*=UTF-8''" in file.headers["content-disposition"]


BLANK = ("\u200b", "\u3164", "\x00", "\u00ad\u2800", "\u202e", " \n ")
TWINS = ("Кава її", unicodedata.normalize("NFD", "Кава її"), "Ка\u00adва\u00a0 її\u200b")


@pytest.mark.parametrize("blank", BLANK)
async def test_what_nobody_sees_is_neither_said_nor_a_name(office: Office, blank: str) -> None:
    one = await office.receive("Добрий день")
    row = await office.shown(one)
    customer = row["customer"]["customer_id"]
    ask, owner, team = office.ask, office.owner, office.team
    assert (await ask(owner, "POST", "/v1/conversations/{id}/take", one)).status == 200
    bodies: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("POST", "/v1/conversations/{id}/messages", one, {"text": blank}),
        ("POST", "/v1/conversations/{id}/notes", one, {"text": blank}),
        ("POST", "/v1/conversations/{id}/tags", one, {"add": [blank]}),
        ("POST", "/v1/customers/{id}/sales-plans", customer, {"add": [blank]}),
        ("PATCH", "/v1/customers/{id}", customer, {"tags": [blank]}),
        ("POST", "/v1/saved-filters", "", {"name": blank, "filter": {}}),
        ("POST", "/v1/labels", "", {"kind": "topic", "name": blank}),
        ("POST", "/v1/groups", "", {"name": blank}),
        ("POST", "/v1/locations", "", {"name": blank}),
        ("POST", "/v1/fields", "", {"applies_to": "case", "name": blank, "kind": "text"}),
        ("POST", "/v1/members", "", {"name": blank, "email": "a@b.example", "role": "operator"}),
        ("PATCH", "/v1/locations/{id}", team.location_id, {"name": blank}),
        ("POST", "/v1/api-tokens", "", {"name": blank}),
    )
    for method, path, thing, body in bodies:
        answer = await ask(owner, method, path, thing, body)
        assert answer.status == 422, (path, answer)
    http, ingest = office.suite.http, office.suite.ingest_url
    headers = {"origin": ORIGIN}
    session = f"{ingest}/widget/{office.source_id}/session"
    async with http.post(session, json={}, headers=headers) as answered:
        headers["authorization"] = f"Bearer {(await answered.json())['token']}"
    message = {"message_id": str(uuid.uuid4()), "text": blank}
    async with http.post(
        f"{ingest}/hooks/widget/{office.source_id}", json=message, headers=headers
    ) as answered:
        assert answered.status == 422


async def test_names_that_look_alike_are_the_same(office: Office) -> None:
    one = await office.receive("Добрий день")
    await office.shown(one)
    ask, owner = office.ask, office.owner
    for twin in TWINS:
        tagged = await ask(owner, "POST", "/v1/conversations/{id}/tags", one, {"add": [twin]})
        assert tagged.body["case"]["tags"] == ["кава її"]
        found = await owner("GET", f"/v1/conversations?tab=all&tag={quote(twin)}")
        assert one in [row["conversation_id"] for row in found.body["items"]]
    first, *others = TWINS
    made = await ask(owner, "POST", "/v1/labels", "", {"kind": "topic", "name": first})
    assert made.body["name"] == first
    for twin in others:
        again = await ask(owner, "POST", "/v1/labels", "", {"kind": "topic", "name": twin})
        assert again.status == 422
    gone = await ask(owner, "POST", "/v1/conversations/{id}/tags", one, {"remove": [TWINS[1]]})
    assert "tags" not in gone.body["case"]


@pytest.mark.parametrize("zone", ["localtime", "Factory", "posixrules", "right/UTC", "kyiv"])
async def test_what_is_no_place_is_no_time_zone(office: Office, zone: str) -> None:
    new = {"name": "Склад", "time_zone": zone}
    assert (await office.ask(office.owner, "POST", "/v1/locations", "", new)).status == 422
    one = f"/v1/locations/{office.team.location_id}"
    assert (await office.owner("PATCH", one, {"time_zone": zone})).status == 422


@pytest.mark.parametrize(
    "query",
    [
        *("tab=null", "unread=null", "priority=null", "tab=mine&tab=done", "tag=a&tag="),
        *("limit=0", "limit=501", "limit=1&limit=2", "sort=null", "flagged=maybe", "tag="),
        *("cursor=x", "cursor=%00", "spam=1"),
    ],
)
async def test_what_is_not_said_of_a_list_is_refused(office: Office, query: str) -> None:
    answer = await office.owner("GET", f"/v1/conversations?{query}")
    assert answer.status == 422, answer
    assert answer.body["errors"][0]["field"] == query.partition("=")[0]


async def test_a_filter_looks_everywhere_unless_a_tab_is_named(office: Office) -> None:
    one = await office.receive("Де моє замовлення?")
    await office.shown(one)
    ask, owner = office.ask, office.owner
    await ask(owner, "POST", "/v1/conversations/{id}/tags", one, {"add": ["seldom"]})
    await ask(owner, "POST", "/v1/conversations/{id}/take", one)
    for query, there in (("tag=seldom", True), ("tag=seldom&tab=new", False), ("", False)):
        page = await ask(owner, "GET", f"/v1/conversations?{query}")
        assert (one in [row["conversation_id"] for row in page.body["items"]]) is there, query


async def test_a_repeated_filter_means_any_of_its_values(office: Office) -> None:
    ask, owner = office.ask, office.owner
    tagged = {}
    for tag in ("first", "second", "third"):
        tagged[tag] = one = await office.receive(f"Питання {tag}")
        await office.shown(one)
        await ask(owner, "POST", "/v1/conversations/{id}/tags", one, {"add": [tag]})

    page = await ask(owner, "GET", "/v1/conversations?tag=first&tag=third")

    found = {row["conversation_id"] for row in page.body["items"]}
    assert found == {tagged["first"], tagged["third"]}


async def test_lists_do_not_take_each_others_cursors(office: Office) -> None:
    ask, owner = office.ask, office.owner
    for name in ("A", "B", "C"):
        await office.shown(await office.receive(name))
        await ask(owner, "POST", "/v1/groups", "", {"name": f"Group {name}"})
        await ask(owner, "POST", "/v1/labels", "", {"kind": "topic", "name": f"Topic {name}"})
    lists = (
        *("/v1/groups?limit=1", "/v1/labels?limit=1", "/v1/customers?limit=1"),
        *("/v1/conversations?limit=1&tab=all", "/v1/conversations?limit=1&tab=all&unread=true"),
    )
    cursors = {path: (await owner("GET", path)).body["next"] for path in lists}
    for path in lists:
        for of, cursor in cursors.items():
            answer = await owner("GET", f"{path}&cursor={cursor}")
            assert answer.status == (200 if of == path else 422), (path, of, answer)
