"""A case from the customer's message to the figures, through the gateway and all the services."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from libs.events.directory import Role
from tests.support.eventually import eventually
from tests.support.gateway.described import check
from tests.support.gateway.office import Office, notified, until
from tests.support.gateway.sockets import ready
from tests.support.gateway.suite import Answer, Member

pytestmark = pytest.mark.servers

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")


async def test_a_case_is_taken_answered_closed_and_counted(office: Office) -> None:
    ask, owner = office.ask, office.owner
    one = "/v1/conversations/{id}"
    async with office.live(office.team.owner) as socket:
        await ready(socket)
        conversation = await office.receive("Чи є у вас лате?")
        frame = await until(socket, "parley.message.received.v1")
    assert frame["conversation_id"] == conversation
    assert frame["data"]["message"]["content"]["text"] == "Чи є у вас лате?"

    inbox = await ask(owner, "GET", "/v1/conversations?tab=new&limit=5")
    assert [row["conversation_id"] for row in inbox.body["items"]] == [conversation]
    taken = await ask(owner, "POST", one + "/take", conversation)
    assert taken.body["case"]["responsible"] == office.team.owner.member_id

    uploaded = await owner(
        "POST",
        f"/v1/attachments?file_name={quote('чек 1.png')}",
        PNG,
        {"content-type": "image/png"},
    )
    check(office.document, "post", "/v1/attachments", uploaded)
    file = await owner("GET", f"/v1/attachments/{uploaded.body['attachment_id']}")
    assert (file.status, file.content, file.headers["content-type"]) == (200, PNG, "image/png")
    assert "sandbox" in file.headers["content-security-policy"]

    body = {"text": "Так!", "attachments": [uploaded.body["attachment_id"]]}
    key = {"idempotency-key": "reply-1"}
    path = f"/v1/conversations/{conversation}/messages"
    first, second = [await owner("POST", path, body, key) for _ in range(2)]
    check(office.document, "post", one + "/messages", first)
    assert first.content == second.content
    assert first.body["item"]["content"]["attachments"][0]["file_name"] == "чек 1.png"

    await ask(owner, "POST", one + "/notes", conversation, {"text": "VIP"})
    closed = await ask(owner, "POST", one + "/close", conversation)
    assert closed.body["case"]["state"] == "done"
    timeline = await ask(owner, "GET", one + "/timeline", conversation)
    kinds = {item["kind"] for item in timeline.body["items"]}
    assert {"message", "note"} <= kinds
    assert (await ask(owner, "GET", one, conversation)).body["case"]["state"] == "done"
    await ask(owner, "POST", one + "/reopen", conversation)

    now = datetime.now(UTC)
    period = f"from={_text(now - timedelta(hours=1))}&to={_text(now + timedelta(hours=1))}"

    async def responded() -> Answer | None:
        summary = await ask(owner, "GET", f"/v1/metrics/summary?{period}")
        return summary if summary.body["responded"]["value"] else None

    summary = await eventually(responded)
    assert summary.body["all"]["value"] >= 1
    rows = await ask(owner, "GET", f"/v1/metrics/performance?by=member&{period}")
    assert office.team.owner.member_id in [row["key"] for row in rows.body["items"]]
    await ask(owner, "GET", "/v1/metrics/summary?from=yesterday")


async def test_what_does_not_belong_to_the_member_is_refused_as_the_services_say(
    office: Office,
) -> None:
    ask, owner = office.ask, office.owner
    one = "/v1/conversations/{id}"
    dima = office.of(await office.team.add(Role.OPERATOR))
    async with office.live(office.team.owner) as socket:
        await ready(socket)
        conversation = await office.receive("Добрий день")
        await until(socket, "parley.message.received.v1")
    await ask(owner, "POST", one + "/take", conversation)

    lost = await ask(dima, "POST", one + "/take", conversation)
    nothing = await ask(owner, "GET", one, "cnv_nothing")
    unknown = await ask(
        owner, "POST", one + "/messages", conversation, {"attachments": ["att_nothing"]}
    )
    empty = await ask(owner, "POST", one + "/messages", conversation, {})
    tab = await ask(owner, "GET", "/v1/conversations?tab=nonsense")

    assert (lost.status, nothing.status) == (409, 404)
    assert office.team.owner.member_id in lost.content.decode()
    assert (unknown.status, unknown.body["errors"][0]["field"]) == (422, "attachments")
    assert (empty.status, tab.status) == (422, 422)


async def test_a_group_is_told_of_its_new_case_and_its_members_read_it(office: Office) -> None:
    ask, owner = office.ask, office.owner
    dima = await office.team.add(Role.OPERATOR)
    sales = await office.team.group("Sales", dima)
    rule = {"enabled": True, "in_app": True, "email": False}
    await ask(owner, "PUT", "/v1/notification-rules/case-in-group", body=rule)
    rules = await ask(owner, "GET", "/v1/notification-rules")
    assert rules.body["items"] == [{"rule": "case-in-group"} | rule]
    forward = {"source_ids": [office.source_id], "group_id": sales}
    made = await ask(owner, "POST", "/v1/autoforwards", body=forward)
    try:
        async with office.live(dima) as socket:
            await ready(socket)
            conversation = await office.receive("Скільки коштує?")
            while (frame := await socket.next(20))["type"] != "notification":
                pass
    finally:
        await ask(owner, "DELETE", "/v1/autoforwards/{id}", made.body["autoforward_id"])

    assert frame["notification"]["conversation_id"] == conversation
    listed = await ask(office.of(dima), "GET", "/v1/notifications")
    notification = frame["notification"]["notification_id"]
    assert [item["notification_id"] for item in listed.body["items"]] == [notification]
    read = await ask(office.of(dima), "POST", "/v1/notifications/{id}/read", notification)
    assert read.body["read_at"] is not None
    assert (await ask(owner, "POST", "/v1/notifications/{id}/read", notification)).status == 404


async def test_a_case_goes_through_many_hands(office: Office) -> None:
    ask, owner, team = office.ask, office.owner, office.team
    one = "/v1/conversations/{id}"
    dima, olena = [await team.add(Role.OPERATOR) for _ in range(2)]
    sales = await team.group("Sales", olena)
    rule = {"enabled": True, "in_app": True, "email": False}
    await ask(owner, "PUT", "/v1/notification-rules/case-in-group", body=rule)
    async with office.live(team.owner) as socket:
        await ready(socket)
        case = await office.receive("Чи можна повернути товар?")
        await until(socket, "parley.message.received.v1")

    async def done(who: Member, action: str, body: Any = None) -> Any:
        answer = await ask(office.of(who), "POST", f"{one}/{action}", case, body)
        assert answer.status == 200, answer.content
        return answer.body["case"]

    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    given = await done(dima, "assign", {"member_id": olena.member_id, "due_at": due})
    assert given["responsible"] == olena.member_id
    async with office.live(dima) as socket:
        await ready(socket)
        await done(olena, "transfer", {"member_id": dima.member_id})
        offered = await until(socket, "parley.case.transfer-offered.v1")
        assert offered["data"]["case"]["offer"]["member_id"] == dima.member_id
        assert (await notified(socket, "transfer-offered"))["conversation_id"] == case
    await done(olena, "withdraw")
    await done(olena, "transfer", {"member_id": dima.member_id})
    await done(dima, "decline")
    await done(olena, "transfer", {"member_id": dima.member_id})
    assert (await done(dima, "accept"))["participants"] == [olena.member_id]
    await done(olena, "leave")
    await done(dima, "participants", {"member_id": olena.member_id})
    path = f"{one}/participants/{olena.member_id}"
    removed = await office.of(dima)("DELETE", path.replace("{id}", case))
    check(office.document, "delete", one + "/participants/{member_id}", removed)
    assert "participants" not in removed.body["case"]
    await done(dima, "due", {"due_at": None})
    async with office.live(olena) as socket, office.live(dima) as former:
        await ready(socket)
        await ready(former)
        await done(dima, "forward", {"group_id": sales})
        told = await notified(socket, "case-in-group")
        assert (told["conversation_id"], told["group_id"]) == (case, sales)
        while (frame := await former.next(20))["type"] != "gone":
            pass
        assert frame["conversation_id"] == case
    await done(olena, "take")
    refused = await ask(office.of(olena), "POST", one + "/take-over", case)
    assert refused.status == 403
    await done(team.owner, "take-over")
    await done(team.owner, "unassign")
    await done(olena, "take")
    assert (await done(olena, "send-to-crm", {"close": True}))["state"] == "done"
    assert (await done(dima, "open"))["responsible"] == dima.member_id


async def test_files_that_are_refused_are_refused_in_ingests_words(office: Office) -> None:
    executable = await office.owner(
        "POST", "/v1/attachments?file_name=a.exe", b"MZ" + b"\0" * 50_000
    )
    missing = await office.owner("GET", "/v1/attachments/att_nothing")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 1000

    headers = {"authorization": f"Bearer {office.owner.token}"}
    url = office.suite.replica_url + "/v1/attachments"
    async with office.suite.http.post(url, data=endless(), headers=headers) as large:
        assert large.status == 413

    assert (executable.status, missing.status) == (422, 404)


def _text(instant: datetime) -> str:
    return quote(instant.isoformat())


async def test_a_customer_is_known_merged_blocked_and_their_doings_are_shown(
    office: Office,
) -> None:
    ask, owner = office.ask, office.owner
    cases = []
    async with office.live(office.team.owner) as socket:
        await ready(socket)
        for text in ("Добрий день", "Це знову я"):
            cases.append(await office.receive(text))
            await until(socket, "parley.message.received.v1")
    one, case = "/v1/customers/{id}", "/v1/conversations/{id}"
    first, second = [
        (await ask(owner, "GET", case, i)).body["customer"]["customer_id"] for i in cases
    ]

    async def done(action: str, body: Any = None) -> Any:
        answer = await ask(owner, "POST", f"{one}/{action}", first, body)
        assert answer.status == 200, answer.content
        return answer.body

    edited = await ask(owner, "PATCH", one, first, {"name": "Марія", "tags": ["vip"]})
    assert (edited.body["name"], edited.body["may_edit"]) == ("Марія", True)
    wrong = await ask(owner, "PATCH", one, first, {"email": "nobody"})
    assert wrong.status == 422
    await done("merge", {"customer_id": second})
    await done("funnel", {"status": "customer"})
    await done("sales-plans", {"add": ["осінь"]})
    visit = {"tool": "button", "link": "https://x.example", "utm": {"source": "insta"}}
    await done("acquisition", visit)
    await done("unsubscribe")
    await done("subscribe")
    await done("block")
    known = await done("unblock")
    assert [i["customer_id"] for i in known["identities"]] == [first, second]
    assert (await ask(owner, "GET", one, second)).body["customer_id"] == first
    told = await ask(owner, "GET", one + "/cases", first)
    shown = [c["first_message"]["preview"] for c in told.body["items"]]
    assert shown == ["Це знову я", "Добрий день"]
    listed = await ask(owner, "GET", "/v1/customers?limit=1")
    assert listed.body["items"][0]["customer_id"] == first
    await done("split", {"customer_id": second})
    refused = await ask(owner, "POST", one + "/split", first, {"customer_id": first})
    assert refused.status == 409

    ordered = {"activity": "ordered", "variables": {"offer": "Лате", "sum": 90}}
    sent = await ask(owner, "POST", case + "/activities", cases[0], ordered)
    assert (sent.status, sent.body["item"]["variables"]) == (201, ordered["variables"])
    assert (await ask(owner, "POST", one + "/activities", first, ordered)).status == 201
    assert (await ask(owner, "GET", one, "cus_nobody")).status == 404


async def test_the_past_is_told_and_in_the_callers_language(office: Office) -> None:
    owner, one = office.owner, "/v1/conversations/{id}"
    async with office.live(office.team.owner) as socket:
        await ready(socket)
        conversation = await office.receive("Чи є у вас лате?")
        await until(socket, "parley.message.received.v1")
    path = one.replace("{id}", conversation)
    before = quote(datetime.now(UTC).isoformat())
    await office.ask(owner, "POST", one + "/take", conversation)

    for language, said in (("uk", "бере звернення"), ("ru", "берёт обращение")):
        timeline = await owner("GET", path + "/timeline", None, {"accept-language": language})
        check(office.document, "get", one + "/timeline", timeline)
        assert timeline.body["items"][0]["text"].endswith(said)
    refused = await owner("POST", path + "/reopen", None, {"accept-language": "uk"})
    check(office.document, "post", one + "/reopen", refused)
    assert (refused.status, refused.body["title"]) == (409, "У цій розмові є відкрите звернення")

    past = await office.ask(owner, "GET", f"{one}?as_of={before}", conversation)
    assert past.body["case"]["state"] == "new"
    then = await office.ask(owner, "GET", f"{one}/timeline?as_of={before}", conversation)
    assert "case-taken" not in {item.get("key") for item in then.body["items"]}
    future = quote((datetime.now(UTC) + timedelta(days=1)).isoformat())
    wrong = await office.ask(owner, "GET", f"{one}?as_of={future}", conversation)
    assert (wrong.status, wrong.body["errors"][0]["field"]) == (422, "as_of")
    unbegun = await office.ask(owner, "GET", f"{one}?as_of=2020-01-01T00:00:00Z", conversation)
    assert (unbegun.status, unbegun.body["type"]) == (404, "urn:parley:problem:not-begun")


async def test_what_is_wrong_with_a_message_is_named_as_it_was_given(office: Office) -> None:
    one = f"/v1/conversations/{await office.receive('Hello')}"

    async def taken() -> bool:
        return (await office.owner("POST", f"{one}/take")).status == 200

    await eventually(taken)
    uk = {"accept-language": "uk"}
    for body, field, told in (
        ({"text": "x" * 4001}, "text", "довше за 4000 символів, які приймає чат на сайті"),
        ({"text": " "}, "text", "порожньо"),
        ({"text": "x", "bold": True}, "bold", "невідоме поле"),
        ({"text": "x", "attachments": ["att_0"] * 21}, "attachments", "більше ніж 20 значень"),
        ({"text": "x", "attachments": ["att_0"]}, "attachments", "файлу att_0 немає"),
        ({"text": "x", "visibility": "public"}, "visibility", None),
    ):
        answer = await office.owner("POST", f"{one}/messages", body, uk)
        assert answer.status == 422, answer
        [error] = answer.body["errors"]
        assert error["field"] == field
        assert answer.body["detail"] == f"{field}: {error['message']}"
        assert told is None or error["message"] == told
