"""Members' commands: races, refusals in words, idempotency, what may not be seen."""

import asyncio
from typing import Any

import pytest

from libs.events.directory import MemberState, Role, WorkspaceState
from libs.events.ids import random_id
from tests.support.conversation.steps import a_new_case
from tests.support.conversation.world import MANAGER, World
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

FILE = {
    "attachment_id": "att_1",
    "kind": "image",
    "media_type": "image/png",
    "reference": "att_1",
    "file_name": "cup.png",
}


async def test_a_refusal_says_what_stands_against_it(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    case = await a_new_case(served, dima)

    async def refused(member_id: str, action: str, body: object | None = None) -> Any:
        answer = await served.call(member_id, "POST", f"{case}/{action}", body)
        assert answer.status == 409, answer
        return answer.body

    reply = {"content": {"text": "hi"}}
    assert (await refused(dima, "messages", reply))["detail"] == "Take this case first"
    assert (await refused(dima, "close"))["type"] == "urn:parley:problem:case-not-taken"
    assert (await refused(dima, "reopen"))["type"] == "urn:parley:problem:case-open"
    assert (await served.call(dima, "POST", f"{case}/take")).status == 200
    assert (await served.call(dima, "POST", f"{case}/take")).status == 200
    assert (await refused(olena, "messages", reply))["member_id"] == dima
    assert (await refused(olena, "close"))["detail"].startswith("Dima took this case at ")
    assert (await served.call(dima, "POST", f"{case}/close")).status == 200
    assert (await refused(olena, "take"))["detail"].startswith("Dima closed this case at ")
    assert (await refused(dima, "messages", reply))["type"] == "urn:parley:problem:case-done"

    reopened = await served.call(olena, "POST", f"{case}/reopen", actions=MANAGER)
    assert reopened.body["case"]["responsible"] == dima
    closed = await served.call(olena, "POST", f"{case}/close", actions=MANAGER)
    assert closed.body["case"]["closed_by"] == olena


async def test_what_no_question_and_no_command_knows_is_refused(served: World) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    asked = {"as-of": "2026-11-22T10:00:00Z"}
    for path in (
        *("/v1/conversations", "/v1/customers"),
        *(f"{case}{one}" for one in ("", "/timeline", "/audit", "/comments")),
    ):
        answer = await served.call(dima, "GET", path, query=asked, actions=MANAGER)
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "as-of"), path
    customer = (await served.call(dima, "GET", case)).body["customer"]["customer_id"]
    for method, path in (
        ("POST", f"{case}/take"),
        ("DELETE", f"{case}/participants/mem_1"),
        ("DELETE", f"{case}/messages/msg_1"),
        ("DELETE", f"{case}/draft"),
        ("DELETE", "/v1/saved-filters/flt_1"),
        ("POST", f"/v1/customers/{customer}/unsubscribe"),
        ("POST", f"/v1/customers/{customer}/erase"),
    ):
        body = {"member_id": "mem_2"}
        answer = await served.call(dima, method, path, body, actions=MANAGER)
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "member_id"), path
    assert (await served.call(dima, "POST", f"{case}/take", {}, key="1")).status == 200
    assert (await served.call(dima, "POST", f"{case}/take", key="1")).status == 200
    assert (await served.call(dima, "POST", f"{case}/take", {"x": 1}, key="1")).status == 422


async def test_one_key_is_one_effect_and_one_answer(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    case = await a_new_case(served, dima)
    assert (await served.call(dima, "POST", f"{case}/take", key="take")).status == 200
    reply = {"content": {"text": "hi"}}
    answers = await asyncio.gather(
        *(served.call(dima, "POST", f"{case}/messages", reply, key="one") for _ in range(6))
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.raw for answer in answers}) == 1
    other = {"content": {"text": "other"}}
    assert (await served.call(dima, "POST", f"{case}/messages", other, key="one")).status == 422

    refused = await served.call(olena, "POST", f"{case}/take", key="two")
    assert refused.status == 409
    assert (await served.call(dima, "POST", f"{case}/close")).status == 200
    assert await served.call(olena, "POST", f"{case}/take", key="two") == refused

    timeline = await served.timeline(dima, case.rpartition("/")[2])
    assert [i["key"] for i in timeline["items"] if i["kind"] == "system"] == [
        "case-closed",
        "case-taken",
        "case-opened",
    ]
    assert len([i for i in timeline["items"] if i.get("direction") == "outgoing"]) == 1


async def test_reply_and_close_is_one_step(served: World) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    await served.call(dima, "POST", f"{case}/take")
    body = {"content": {"text": "bye"}, "close": True}
    sent = await served.call(dima, "POST", f"{case}/messages", body)
    assert sent.status == 201
    assert sent.body["conversation"]["case"]["state"] == "done"
    assert sent.body["item"]["content"]["text"] == "bye"


async def test_a_note_is_for_the_team_only(served: World) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    note = await served.call(dima, "POST", f"{case}/notes", {"text": "VIP"})
    assert (note.status, note.body["item"]["text"]) == (201, "VIP")
    assert (await served.call(dima, "POST", f"{case}/notes", {"text": " "})).status == 422
    conversation_id = case.rpartition("/")[2]
    path = f"/internal/v1/customer-timeline/{conversation_id}"
    assert (await served.call(dima, "GET", path)).status == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": {"text": "x" * 4097}}, "content.text"),
        ({"content": {"text": ""}}, "content"),
        ({"content": {"text": 5}}, "content.text"),
        ({"content": {"text": "hi"}, "reply_to": "msg_nowhere"}, "reply_to"),
        ({}, "content"),
        ({"content": {"text": "hi", "bold": True}}, "content.bold"),
        ({"content": {"text": "hi", "erased": True}}, "content.erased"),
        ({"content": {"attachments": [{**FILE, "size": 1}]}}, "content.attachments[0].size"),
        ({"content": {"attachments": [FILE, {**FILE, "kind": 7}]}}, "content.attachments[1].kind"),
        ({"content": {"attachments": [{**FILE, "kind": "gif"}]}}, "content.attachments[0].kind"),
        (
            {"content": {"attachments": [{**FILE, "file_name": "n" * 256}]}},
            "content.attachments[0].file_name",
        ),
        ({"content": {"attachments": [FILE], "text": "x" * 1025}}, "content.text"),
        ({"content": {"attachments": [FILE] * 21}}, "content.attachments"),
        ({"content": {"point": {"latitude": 91, "longitude": 0}}}, "content.point.latitude"),
        ({"content": {"point": {"latitude": 1}}}, "content.point.longitude"),
        ({"content": {"text": "hi"}, "reply_to": "m" * 101}, "reply_to"),
    ],
)
async def test_a_bad_body_is_refused_by_naming_the_field(
    served: World, body: object, field: str
) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    await served.call(dima, "POST", f"{case}/take")
    answer = await served.call(dima, "POST", f"{case}/messages", body)
    assert answer.status == 422, answer
    assert [one["field"] for one in answer.body["errors"]] == [field]


async def test_more_than_a_commit_may_hold_is_refused_before_it_is_written(served: World) -> None:
    """Both MongoDB and Kafka have a limit for what is written at once."""
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    taken = await served.call(dima, "POST", f"{case}/take")
    attachments = [
        {
            "attachment_id": f"att_{number}",
            "kind": "file",
            "media_type": "text/plain",
            "reference": "r" * 12_500,
            "file_name": "n" * 200,
        }
        for number in range(20)
    ]
    body = {"content": {"text": "all of them", "attachments": attachments}}
    refused = await served.call(dima, "POST", f"{case}/messages", body, language="uk")
    assert (refused.status, refused.body["type"]) == (413, "urn:parley:problem:too-large")
    assert refused.body["detail"] == "Це більше, ніж можна зберегти за один раз"
    assert (await served.call(dima, "GET", case)).body["version"] == taken.body["version"]
    fewer = {"content": {"text": "some of them", "attachments": attachments[:2]}}
    assert (await served.call(dima, "POST", f"{case}/messages", fewer)).status == 201


async def test_what_may_not_be_seen_is_not_there(served: World) -> None:
    dima = await served.member("Dima")
    stranger = await served.member("Stranger", location_ids=(random_id("loc"),))
    owner = await served.member("Owner", Role.OWNER)
    case = await a_new_case(served, dima)
    assert (await served.call(owner, "GET", case)).status == 200
    for path in ("", "/timeline"):
        assert (await served.call(stranger, "GET", f"{case}{path}")).status == 404
    for action in ("take", "close", "reopen"):
        assert (await served.call(stranger, "POST", f"{case}/{action}")).status == 404
    for action, body in (("messages", {"content": {"text": "x"}}), ("notes", {"text": "x"})):
        assert (await served.call(stranger, "POST", f"{case}/{action}", body)).status == 404

    other = served.beside()
    outsider = await other.member("Outsider", Role.OWNER)
    await other.settled()
    for method, path in (("GET", ""), ("GET", "/timeline"), ("POST", "/take")):
        assert (await other.call(outsider, method, f"{case}{path}")).status == 404
    page = await other.call(outsider, "GET", "/v1/conversations", query={"tab": "all"})
    assert page.body["items"] == []


async def test_the_caller_is_answered_in_their_language(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    case = await a_new_case(served, dima)
    assert (await served.call(dima, "POST", f"{case}/take")).status == 200

    async def said(language: str | None) -> list[str]:
        refused = await served.call(olena, "POST", f"{case}/take", language=language)
        timeline = await served.call(olena, "GET", f"{case}/timeline", language=language)
        taken = timeline.body["items"][0]
        assert (taken["key"], taken["variables"]) == ("case-taken", {"member": "Dima"})
        return [refused.body["title"], refused.body["detail"].split(":")[0], taken["text"]]

    assert await said("ru, en;q=0.1") == [
        "За это обращение отвечает другой участник",
        "Обращение уже взято",
        "Dima берёт обращение",
    ]
    english = await said("en")
    assert english[2] == "Dima takes the case"
    assert await said(None) == english
    await served.directory(
        WorkspaceState(workspace_id=served.workspace_id, name="Кава", language="uk")
    )
    await served.settled()
    assert (await said(None))[2] == "Dima бере звернення"
    assert await said("en-GB") == english


async def test_a_first_answer_is_given_again_only_to_who_still_sees_it(served: World) -> None:
    dima = await served.member("Dima")
    case = await a_new_case(served, dima)
    first = await served.call(dima, "POST", f"{case}/flag", key="flag")
    again = await served.call(dima, "POST", f"{case}/flag", key="flag")

    await served.directory(
        MemberState(
            member_id=dima,
            name="Dima",
            email="dima@coffee.example",
            role=Role.OPERATOR,
            location_ids=("loc_elsewhere",),
        )
    )

    async def is_out_of_sight() -> bool:
        return (await served.call(dima, "GET", case)).status == 404

    await eventually(is_out_of_sight)
    later = await served.call(dima, "POST", f"{case}/flag", key="flag")

    assert (first.status, again) == (200, first)
    assert later.status == 404
