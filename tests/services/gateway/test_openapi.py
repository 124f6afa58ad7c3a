"""The document: every route with its errors, and the real answers are what it says."""

import re
from typing import Any

import jsonschema
import pytest

from libs.events.directory import Role
from tests.support.gateway.described import check
from tests.support.gateway.suite import Api, Member, Team

pytestmark = pytest.mark.servers

Staff = tuple[Team, dict[Role, Member]]
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
async def document(api: Api) -> Any:
    return (await api("GET", "/openapi.json")).body


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


async def test_the_document_has_every_route_that_the_api_promises(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "https://api.parley.example"}]
    assert {f"{method.upper()} {path}" for method, path, _ in operations(document)} == {
        "POST /v1/sign-in",
        "POST /v1/sign-out",
        "GET /v1/me",
        "PATCH /v1/me",
        "POST /v1/me/password",
        "POST /v1/members/{id}/password",
        "POST /v1/api-tokens",
        "GET /v1/api-tokens",
        "DELETE /v1/api-tokens/{id}",
        "GET /v1/conversations",
        "GET /v1/conversations/counts",
        "GET /v1/saved-filters",
        "POST /v1/saved-filters",
        "PUT /v1/saved-filters/{id}",
        "DELETE /v1/saved-filters/{id}",
        "GET /v1/conversations/{id}",
        "GET /v1/conversations/{id}/timeline",
        "GET /v1/conversations/{id}/audit",
        "GET /v1/conversations/{id}/comments",
        "POST /v1/conversations/{id}/take",
        "POST /v1/conversations/{id}/take-over",
        "POST /v1/conversations/{id}/assign",
        "POST /v1/conversations/{id}/unassign",
        "POST /v1/conversations/{id}/due",
        "POST /v1/conversations/{id}/transfer",
        "POST /v1/conversations/{id}/accept",
        "POST /v1/conversations/{id}/decline",
        "POST /v1/conversations/{id}/withdraw",
        "POST /v1/conversations/{id}/forward",
        "POST /v1/conversations/{id}/participants",
        "DELETE /v1/conversations/{id}/participants/{member_id}",
        "POST /v1/conversations/{id}/leave",
        "POST /v1/conversations/{id}/messages",
        "POST /v1/conversations/{id}/notes",
        "POST /v1/conversations/{id}/close",
        "POST /v1/conversations/{id}/send-to-crm",
        "POST /v1/conversations/{id}/open",
        "POST /v1/conversations/{id}/reopen",
        *(
            f"POST /v1/conversations/{{id}}/{mark}"
            for mark in (
                *("read", "unread", "flag", "unflag", "priority", "status", "type", "fields"),
                *("tags", "topics", "reasons", "components"),
            )
        ),
        "POST /v1/conversations/read-all",
        "PUT /v1/conversations/{id}/draft",
        "GET /v1/conversations/{id}/draft",
        "DELETE /v1/conversations/{id}/draft",
        "PUT /v1/conversations/{id}/messages/{message_id}/emotion",
        "PATCH /v1/conversations/{id}/messages/{message_id}",
        "DELETE /v1/conversations/{id}/messages/{message_id}",
        "POST /v1/conversations/{id}/messages/{message_id}/resend",
        "POST /v1/conversations/{id}/activities",
        "GET /v1/customers",
        "GET /v1/customers/{id}",
        "PATCH /v1/customers/{id}",
        "GET /v1/customers/{id}/cases",
        "GET /v1/customers/{id}/photo",
        "POST /v1/customers/{id}/erase",
        *(
            f"POST /v1/customers/{{id}}/{action}"
            for action in (
                *("merge", "split", "block", "unblock", "subscribe", "unsubscribe"),
                *("funnel", "sales-plans", "acquisition", "activities", "erase"),
            )
        ),
        "POST /v1/attachments",
        "GET /v1/attachments/{id}",
        *(
            f"{method} /v1/{things}{one}"
            for things in (
                "locations",
                "members",
                "groups",
                "sources",
                "autoforwards",
                "labels",
                "fields",
            )
            for method, one in (
                ("GET", ""),
                ("POST", ""),
                ("GET", "/{id}"),
                ("PATCH", "/{id}"),
                ("DELETE", "/{id}"),
            )
        ),
        "POST /v1/sources/{id}/register",
        "GET /v1/sources/{id}/health",
        "GET /v1/roles",
        "GET /v1/live",
        "GET /v1/notifications",
        "POST /v1/notifications/{id}/read",
        *(f"{method} /v1/crm-webhook" for method in ("GET", "PATCH", "DELETE")),
        "GET /v1/notification-rules",
        "PUT /v1/notification-rules/case-in-group",
        "GET /v1/metrics/summary",
        "GET /v1/metrics/performance",
    }


async def test_every_operation_says_what_it_is_and_what_it_can_answer(document: Any) -> None:
    names = []
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        names.append(operation["operationId"])
        answers = set(operation["responses"])
        assert operation["summary"], where
        assert len(operation["tags"]) == 1, where
        assert any(status.startswith("2") for status in answers), where
        assert "401" in answers, where
        if operation.get("security"):
            assert path != "/v1/sign-in"
        in_path = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        assert in_path == re.findall(r"{(\w+)}", path), where
        if in_path:
            assert "404" in answers, where
        if "requestBody" in operation:
            assert {"400", "413", "422"} <= answers, where
        for status, answer in operation["responses"].items():
            assert answer["description"], where
            if not status.startswith("2"):
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemDetails"}, where
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+[A-Za-z]+", name) for name in names)


async def test_every_schema_that_is_named_is_there(document: Any) -> None:
    named = set(re.findall(r"#/components/schemas/(\w+)", str(document)))

    assert named <= set(document["components"]["schemas"])
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_real_answers_are_what_the_document_says(
    document: Any, staff: Staff, api: Api
) -> None:
    team, members = staff
    owner = team.owner.api
    group = (await owner("POST", "/v1/groups", {"name": "Sales"})).body["group_id"]
    source = (
        await owner(
            "POST",
            "/v1/sources",
            {
                "channel": "widget",
                "name": "Shop",
                "location_id": team.location_id,
                "allowed_origins": ["https://shop.example"],
            },
        )
    ).body["source_id"]
    token = (await owner("POST", "/v1/api-tokens", {"name": "CRM"})).body["token_id"]
    signing_in = {"email": team.owner.email, "password": team.owner.password}
    session = await api.sign_in(team.owner.email, team.owner.password)
    forward = {"source_ids": [source], "group_id": group}
    rule = (await owner("POST", "/v1/autoforwards", forward)).body["autoforward_id"]

    for who, method, path, ids, body in [
        (api, "post", "/v1/sign-in", "", signing_in),
        (api, "post", "/v1/sign-in", "", signing_in | {"password": "x"}),
        (api, "post", "/v1/sign-in", "", {}),
        (owner, "get", "/v1/me", "", None),
        (api, "get", "/v1/me", "", None),
        (owner, "get", "/v1/roles", "", None),
        (owner, "get", "/v1/api-tokens", "", None),
        (owner, "post", "/v1/api-tokens", "", {"name": "more"}),
        (owner, "delete", "/v1/api-tokens/{id}", token, None),
        (owner, "delete", "/v1/api-tokens/{id}", token, None),
        (session, "post", "/v1/sign-out", "", None),
        (owner, "get", "/v1/locations", "", None),
        (owner, "get", "/v1/locations/{id}", team.location_id, None),
        (owner, "post", "/v1/locations", "", {"name": "Podil"}),
        (owner, "post", "/v1/locations", "", {"nam": "Podil"}),
        (owner, "get", "/v1/members", "", None),
        (owner, "get", "/v1/members?limit=0", "", None),
        (owner, "get", "/v1/groups", "", None),
        (owner, "patch", "/v1/groups/{id}", group, {"name": "Support"}),
        (owner, "get", "/v1/sources", "", None),
        (owner, "get", "/v1/sources/{id}", source, None),
        (owner, "patch", "/v1/sources/{id}", source, {"name": "Our shop"}),
        (owner, "post", "/v1/sources/{id}/register", source, None),
        (owner, "get", "/v1/autoforwards", "", None),
        (owner, "get", "/v1/autoforwards/{id}", rule, None),
        (owner, "get", "/v1/autoforwards/{id}", "none", None),
        (owner, "delete", "/v1/autoforwards/{id}", rule, None),
        (members[Role.READ_ONLY].api, "post", "/v1/groups", "", {"name": "X"}),
        (owner, "get", "/v1/conversations", "", None),
        (owner, "post", "/v1/conversations/{id}/take", "cnv_1", None),
        (owner, "post", "/v1/conversations/{id}/messages", "cnv_1", {"text": 1}),
        (members[Role.MODERATOR].api, "post", "/v1/conversations/{id}/reopen", "cnv_1", None),
        (owner, "post", "/v1/conversations/{id}/notes", "cnv_1", b" " * 1_000_001),
    ]:
        answer = await who(method.upper(), path.replace("{id}", ids), body)
        check(document, method, path.partition("?")[0], answer)


async def test_what_the_document_does_not_tell_of_is_refused(document: Any, api: Api) -> None:
    for method, path, operation in operations(document):
        there = re.sub(r"{\w+}", "x_1", path)
        answer = await api(method.upper(), there + "?as-of=2026-11-22")
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "as-of"), there
        check(document, method, path, answer)
        if method == "get" or "requestBody" in operation:
            continue
        answer = await api(method.upper(), there, {"due_at": None})
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "due_at"), there
        assert (await api(method.upper(), there, {})).status != 422


async def test_every_list_has_pages_of_one_size_at_most(document: Any) -> None:
    limits = {
        path: one["schema"]
        for _, path, operation in operations(document)
        for one in operation["parameters"]
        if one["name"] == "limit"
    }

    assert {
        *("/v1/conversations", "/v1/customers", "/v1/notifications", "/v1/members"),
        *("/v1/conversations/{id}/timeline", "/v1/conversations/{id}/audit"),
    } <= set(limits)
    for path, schema in limits.items():
        assert schema == {"type": "integer", "minimum": 1, "maximum": 500}, path


async def test_what_may_be_repeated_is_an_array_and_all_else_is_refused(
    document: Any, api: Api
) -> None:
    listed = document["paths"]["/v1/conversations"]["get"]["parameters"]
    arrays = {one["name"] for one in listed if one["schema"].get("type") == "array"}

    assert arrays == {
        *("location", "group", "source", "channel", "member", "responsible"),
        *("tag", "topic", "status", "type", "reason", "component"),
        *("priority", "funnel", "sales_plan", "customer_tag"),
    }
    [channel] = [one for one in listed if one["name"] == "channel"]
    assert {"telegram", "widget"} <= set(channel["schema"]["items"]["enum"])
    for one in listed:
        if one["name"] not in arrays:
            answer = await api("GET", f"/v1/conversations?{one['name']}=1&{one['name']}=2")
            assert (answer.status, answer.body["errors"][0]["field"]) == (422, one["name"])


async def test_answers_carry_what_keeps_a_browser_safe(api: Api) -> None:
    answer = await api("GET", "/v1/me")

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://console.parley.example", True), ("https://evil.example", False)],
)
async def test_only_named_origins_may_call_from_a_page(
    api: Api, origin: str, allowed: bool
) -> None:
    asked = await api(
        "OPTIONS",
        "/v1/me",
        headers={
            "origin": origin,
            "access-control-request-method": "GET",
            "access-control-request-headers": "authorization",
        },
    )

    assert ("access-control-allow-origin" in asked.headers) is allowed
    assert asked.headers.get("access-control-allow-origin") != "*"


@pytest.mark.parametrize(
    ("shape", "nothing", "something"),
    [
        ("ChangeMarks", {"add": [], "remove": []}, {"add": [], "remove": ["vip"]}),
        ("RecordVisit", {"tool": None, "utm": {}}, {"utm": {"source": "newsletter"}}),
        ("RecordVisit", {"at": "2026-11-29T08:00:00Z"}, {"tool": "callback"}),
    ],
)
async def test_a_body_that_says_nothing_is_refused_by_the_document_too(
    document: Any, shape: str, nothing: Any, something: Any
) -> None:
    whole = {**document, "$ref": f"#/components/schemas/{shape}"}
    schema = jsonschema.Draft202012Validator(whole)

    assert not schema.is_valid(nothing)
    assert not schema.is_valid({})
    assert schema.is_valid(something)
