"""Where cases sent to the CRM go is the owner's and the admins' business."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from libs.events.directory import Role
from tests.support.gateway.suite import Api, Member, Team

pytestmark = pytest.mark.servers

PATH = "/v1/crm-webhook"
GOLDEN = Path(__file__).parents[2] / "notify" / "golden" / "parley.crm.case-sent.v1.json"


async def test_an_owner_sets_it_and_sees_its_secret_once(team: Team) -> None:
    owner = team.owner.api

    nothing = await owner("GET", PATH)
    made = await owner("PATCH", PATH, {"url": "https://127.0.0.1/hook"})
    read = await owner("GET", PATH)
    me = await owner("GET", "/v1/me")
    removed = await owner("DELETE", PATH)
    gone = await owner("GET", PATH)

    assert nothing.status == 404
    assert made.status == 200
    assert made.body["secret"].startswith("whsec_")
    assert read.body == {"url": "https://127.0.0.1/hook"}
    assert b"secret" not in me.content
    assert (removed.status, gone.status) == (204, 404)


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.OWNER, Role.ADMIN)])
async def test_it_is_nobody_elses_business(
    staff: tuple[Team, dict[Role, Member]], role: Role
) -> None:
    api = staff[1][role].api

    answers = [
        await api("GET", PATH),
        await api("PATCH", PATH, {"url": "https://127.0.0.1/hook"}),
        await api("DELETE", PATH),
    ]

    assert [answer.status for answer in answers] == [403] * 3


async def test_the_document_says_what_is_posted(api: Api) -> None:
    document: Any = (await api("GET", "/openapi.json")).body

    posted = document["webhooks"]["caseSentToCrm"]["post"]
    schema = posted["requestBody"]["content"]["application/cloudevents+json"]["schema"]
    names = {one["name"] for one in posted["parameters"]}
    assert names == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    check = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
    check.validate(json.loads(GOLDEN.read_text()))
