"""Drafts: a member's own, shown in their lists, gone when the message is sent."""

import asyncio
import json
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.api import Draft
from libs.events.ids import random_id
from libs.runtime.mongo import Document
from services.conversation.read_models.drafts import DRAFTS, Drafts, marked
from tests.support.conversation.steps import a_new_case
from tests.support.conversation.world import World

pytestmark = pytest.mark.servers


async def drafted(world: World, member_id: str) -> list[str]:
    """The conversations that the member's list shows with a draft."""
    page = await world.call(member_id, "GET", "/v1/conversations", query={"tab": "all"})
    return [row["conversation_id"] for row in page.body["items"] if row.get("has_draft")]


async def test_a_draft_is_kept_for_its_member_alone_until_it_is_sent(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    case = await a_new_case(served, dima)
    await a_new_case(served, dima, "2")
    conversation_id = case.rpartition("/")[2]
    await served.call(dima, "POST", f"{case}/take")
    assert (await served.call(dima, "GET", f"{case}/draft")).body == {}

    body = {"text": 'We have "it', "reply_to": "msg_1"}
    saved = await served.call(dima, "PUT", f"{case}/draft", body)
    assert (saved.status, saved.body["text"]) == (200, body["text"])
    assert (await served.call(dima, "GET", f"{case}/draft")).body == saved.body
    assert (await served.call(olena, "GET", f"{case}/draft")).body == {}
    assert await drafted(served, dima) == [conversation_id]
    assert await drafted(served, olena) == []
    assert (await served.view(dima, conversation_id)).body["has_draft"] is True
    assert "has_draft" not in (await served.view(olena, conversation_id)).body

    await served.call(dima, "POST", f"{case}/messages", {"content": {"text": "We have it"}})
    assert (await served.call(dima, "GET", f"{case}/draft")).body == {}
    assert await drafted(served, dima) == []


async def test_a_draft_is_forgotten_when_asked_to_or_emptied(served: World) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    for forget in (("DELETE", None), ("PUT", {"text": " "})):
        await served.call(dima, "PUT", f"{case}/draft", {"text": "We"})
        assert (await served.call(dima, forget[0], f"{case}/draft", forget[1])).status in (200, 204)
        assert (await served.call(dima, "GET", f"{case}/draft")).body == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "x" * 10_001}, "text"),
        ({"text": 1}, "text"),
        ({}, "text"),
        ({"text": "x", "bold": True}, "bold"),
    ],
)
async def test_a_bad_draft_is_refused(served: World, body: object, field: str) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    answer = await served.call(dima, "PUT", f"{case}/draft", body)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)


async def test_there_is_no_draft_in_what_may_not_be_seen(served: World) -> None:
    dima = await served.member("Dima")
    stranger = await served.member("Stranger", location_ids=(random_id("loc"),))
    case = await a_new_case(served, dima)
    body: Any
    for method, body in (("PUT", {"text": "x"}), ("GET", None), ("DELETE", None)):
        assert (await served.call(stranger, method, f"{case}/draft", body)).status == 404


async def test_drafts_go_with_their_conversation(database: AsyncDatabase[Document]) -> None:
    drafts = Drafts(database[DRAFTS])
    for conversation_id in ("cnv_1", "cnv_2"):
        for member_id in ("mem_1", "mem_2"):
            await drafts.put("wsp_1", member_id, conversation_id, Draft(text="Hello"))
    assert await drafts.forget(["cnv_1"]) == 2
    assert await marked_of(drafts, ["cnv_1", "cnv_2"]) == ["cnv_2"]


async def test_however_many_drafts_a_member_has_the_list_shows_each(
    database: AsyncDatabase[Document],
) -> None:
    drafts = Drafts(database[DRAFTS])
    ids = [f"cnv_{number}" for number in range(210)]
    await asyncio.gather(*(drafts.put("wsp_1", "mem_1", one, Draft(text="Hello")) for one in ids))
    await drafts.put("wsp_1", "mem_2", "cnv_others", Draft(text="Hello"))
    assert await marked_of(drafts, [*ids, "cnv_others", "cnv_none"]) == ids
    assert await marked_of(drafts, []) == []


async def marked_of(drafts: Drafts, listed: list[str]) -> list[str]:
    """Those of the conversations in a list that are marked as having a draft of mem_1's."""

    async def page() -> bytes:
        return json.dumps(
            {"items": [{"conversation_id": one, "version": 1} for one in listed]},
            separators=(",", ":"),
        ).encode()

    items = json.loads(await drafts.marks_on(page(), "mem_1"))["items"]
    return [one["conversation_id"] for one in items if one.get("has_draft")]


def test_a_page_is_marked_where_a_conversation_begins_and_nowhere_else() -> None:
    page = b'{"items":[{"conversation_id":"cnv_1","x":"{\\"conversation_id\\":\\"cnv_1\\","}]}'
    assert marked(page, ["cnv_1", "cnv_2"]) == page.replace(
        b'cnv_1",', b'cnv_1","has_draft":true,', 1
    )
