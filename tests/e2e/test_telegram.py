"""A customer writes on Telegram: the whole path, through public interfaces."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from parley.client import ApiClient, RequestRefused, eventually
from tests.support.e2e.team import Company, period, person

pytestmark = pytest.mark.servers


async def test_from_the_first_question_to_the_figures(company: Company) -> None:
    bot, source = await company.connect_telegram()
    olena = person()

    # When she writes, and Telegram delivers it twice
    update = await company.writes(bot, olena, "Do you deliver?")
    await company.telegram.deliver(bot, update)

    # Then one case with one message is New
    row = await company.case_of("Olena")
    assert row["case"]["state"] == "new"
    path = f"/v1/conversations/{row['conversation_id']}"
    assert await company.texts(row["conversation_id"]) == ["Do you deliver?"]

    # When it is taken, noted and answered
    taken = await company.owner.post(f"{path}/take")
    assert taken["case"]["responsible"] == company.me["member"]["member_id"]
    await company.owner.post(f"{path}/notes", text="She asked before")
    answer = await company.owner.post(f"{path}/messages", text="We do, every day")

    # Then she gets the answer once, the note never, and the timeline shows that it was sent
    async def was_sent() -> bool:
        items = await company.timeline(row["conversation_id"])
        mine = [item for item in items if item["id"] == answer["item"]["id"]]
        return bool(mine) and mine[0]["delivery"]["state"] == "sent"

    await eventually("the delivery state", was_sent)
    assert [sent.text for sent in bot.sent] == ["We do, every day"]

    # When it is closed, the figures count it
    closed = await company.owner.post(f"{path}/close")
    assert closed["case"]["state"] == "done"

    async def counted() -> Any:
        figures = await company.summary()
        return figures if figures["closed"]["value"] == 1 else None

    figures = await eventually("the figures", counted)
    assert figures["all"]["value"] == 1
    assert figures["responded"]["value"] == 1
    assert figures["time_to_respond"]["measured"] == 1
    assert figures["time_to_close"]["measured"] == 1
    by_member = await company.owner.get(
        "/v1/metrics/performance",
        by="member",
        **period(datetime.fromisoformat(closed["case"]["closed_at"])),
    )
    assert [(r["key"], r["responded"]) for r in by_member["items"] if r["key"]] == [
        (company.me["member"]["member_id"], 1)
    ]

    # When she writes again, the next case opens and remembers who was responsible
    await company.writes(bot, olena, "And on Sundays?")
    following = await company.case_of("Olena")
    assert following["conversation_id"] == row["conversation_id"]
    assert following["case"]["case_id"] != row["case"]["case_id"]
    assert following["case"]["repeat"] is True
    assert following["case"]["responsible_before"] == company.me["member"]["member_id"]

    # When the source is disconnected, Telegram is told to send no more
    disconnected = await company.owner.call("DELETE", f"/v1/sources/{source['source_id']}")
    assert disconnected["webhook"]["registered"] is False
    assert bot.webhook == {}


async def test_of_two_who_take_at_once_one_wins_and_the_other_is_told_who(
    company: Company,
) -> None:
    bot, _source = await company.connect_telegram()
    dima, dima_id = await company.hire("Dima")
    kostya, kostya_id = await company.hire("Konstantin")
    await company.writes(bot, person(), "Hello")
    row = await company.case_of("Olena")

    async def take(client: ApiClient) -> Any:
        try:
            return await client.post(f"/v1/conversations/{row['conversation_id']}/take")
        except RequestRefused as refusal:
            return refusal

    answers = await asyncio.gather(take(dima), take(kostya))

    refusals = [a for a in answers if isinstance(a, RequestRefused)]
    winners = [a for a in answers if not isinstance(a, RequestRefused)]
    assert len(refusals) == len(winners) == 1
    winner = winners[0]["case"]["responsible"]
    assert winner in (dima_id, kostya_id)
    assert refusals[0].status == 409
    assert {dima_id: "Dima", kostya_id: "Konstantin"}[winner] in refusals[0].problem["detail"]


async def test_a_repeated_idempotency_key_answers_the_same_and_sends_once(
    company: Company,
) -> None:
    bot, _source = await company.connect_telegram()
    await company.writes(bot, person(), "Hello")
    row = await company.case_of("Olena")
    path = f"/v1/conversations/{row['conversation_id']}"
    await company.owner.post(f"{path}/take")

    key = {"idempotency-key": "answer-1"}
    body = {"text": "Good day"}
    first = await company.owner.call("POST", f"{path}/messages", body=body, headers=key)
    second = await company.owner.call("POST", f"{path}/messages", body=body, headers=key)
    with pytest.raises(RequestRefused) as other:
        await company.owner.call("POST", f"{path}/messages", body={"text": "Bye"}, headers=key)

    assert second == first
    assert other.value.status == 422

    async def arrived() -> bool:
        return bool(bot.sent)

    await eventually("the answer", arrived)
    assert [sent.text for sent in bot.sent] == ["Good day"]


async def test_a_rule_puts_cases_of_a_source_into_its_group_and_tells_the_members(
    company: Company,
) -> None:
    bot, source = await company.connect_telegram()
    dima, dima_id = await company.hire("Dima")
    other, _other_id = await company.hire("Konstantin")
    group = await company.owner.post("/v1/groups", name="Sales", member_ids=[dima_id])
    await company.owner.post(
        "/v1/autoforwards", source_ids=[source["source_id"]], group_id=group["group_id"]
    )

    async with dima.live() as frames:
        await frames.until("ready")
        await company.writes(bot, person(), "A cake for Sunday")
        told = await frames.until("notification")

    row = await company.case_of("Olena", client=dima)
    assert row["case"]["group_id"] == group["group_id"]
    assert told["notification"]["conversation_id"] == row["conversation_id"]
    notifications = (await dima.get("/v1/notifications"))["items"]
    assert [n["case_id"] for n in notifications] == [row["case"]["case_id"]]

    # One who is not in the group neither sees nor finds it
    assert (await other.get("/v1/conversations", tab="new"))["items"] == []
    with pytest.raises(RequestRefused) as hidden:
        await other.get(f"/v1/conversations/{row['conversation_id']}")
    assert hidden.value.status == 404


async def test_an_agent_sees_a_message_as_it_comes(company: Company) -> None:
    bot, _source = await company.connect_telegram()

    async with company.owner.live() as frames:
        await frames.until("ready")
        await company.writes(bot, person(), "Is anybody there?")
        frame = await frames.until("parley.message.received.v1")

    assert frame["data"]["message"]["content"]["text"] == "Is anybody there?"


async def test_a_photo_comes_and_a_document_goes(company: Company) -> None:
    bot, _source = await company.connect_telegram()
    olena = person()
    bot.files["photo-1"] = b"\x89PNG\r\n\x1a\n" + b"0" * 100
    photo = {"file_id": "photo-1", "file_unique_id": "u1", "width": 9, "height": 9}
    message = bot.message_from(olena, photo=[photo], caption="This one")
    await company.telegram.deliver(bot, bot.next_update("message", message))
    row = await company.case_of("Olena")
    path = f"/v1/conversations/{row['conversation_id']}"

    items = await company.timeline(row["conversation_id"])
    content = next(item["content"] for item in items if item["kind"] == "message")
    assert content["text"] == "This one"
    attachment_id = content["attachments"][0]["attachment_id"]

    async def stored() -> bytes | None:
        url = f"{company.suite.url('gateway')}/v1/attachments/{attachment_id}"
        headers = {"authorization": f"Bearer {company.me['token']}"}
        async with company.owner.session.get(url, headers=headers) as answer:
            return await answer.read() if answer.status == 200 else None

    assert await eventually("the photo", stored) == bot.files["photo-1"]

    await company.owner.post(f"{path}/take")
    uploaded = await company.upload("price.txt", b"12 EUR", "text/plain")
    await company.owner.post(
        f"{path}/messages", text="The price", attachments=[uploaded["attachment_id"]]
    )

    async def sent() -> bool:
        return bool(bot.sent)

    await eventually("the document at Telegram", sent)
    assert (bot.sent[0].method.lower(), bot.sent[0].file) == ("senddocument", b"12 EUR")


async def test_a_customer_is_seen_as_telegram_shows_them(company: Company) -> None:
    bot, _source = await company.connect_telegram()
    olena = person()
    bot.files["olena"] = b"\xff\xd8\xff\xe0" + b"0" * 100
    bot.photos[olena["id"]] = "olena"
    await company.writes(bot, olena, "Do you know me?")
    row = await company.case_of("Olena")
    url = f"{company.suite.url('gateway')}/v1/customers/{row['customer']['customer_id']}/photo"
    headers = {"authorization": f"Bearer {company.me['token']}"}

    async def photo(**more: str) -> tuple[int, bytes, str]:
        async with company.owner.session.get(url, headers=headers | more) as answer:
            return answer.status, await answer.read(), answer.headers.get("etag", "")

    status, content, etag = await photo()
    assert (status, content) == (200, bot.files["olena"])
    assert await photo(**{"if-none-match": etag}) == (304, b"", etag)
    bot.photos.clear()
    assert (await photo())[0] == 404

    outsider = await company.another_company()
    bot.photos[olena["id"]] = "olena"
    with pytest.raises(RequestRefused) as hidden:
        await outsider.get(url.removeprefix(company.suite.url("gateway")))
    assert hidden.value.status == 404


async def test_a_button_is_sent_pressed_and_said(company: Company) -> None:
    bot, _ = await company.connect_telegram()
    olena = person()
    await company.writes(bot, olena, "Thanks!")
    row = await company.case_of("Olena")
    path = f"/v1/conversations/{row['conversation_id']}"
    await company.owner.post(f"{path}/take")
    rows = [[{"text": "Good", "data": "rate:5"}, {"text": "Site", "url": "https://shop.example"}]]
    await company.owner.post(f"{path}/messages", text="How was it?", buttons=rows)

    async def was_sent() -> bool:
        return len(bot.sent) == 1

    await eventually("the question", was_sent)
    keyboard = bot.sent[0].fields["reply_markup"]["inline_keyboard"]
    assert keyboard[0][0] == {"text": "Good", "callback_data": "rate:5"}

    await company.telegram.deliver(bot, bot.press(olena, bot.sent[0], "Good"))

    async def is_said() -> Any:
        items = await company.timeline(row["conversation_id"])
        said = [item for item in items if item.get("content", {}).get("text") == "Good"]
        return said[0] if said else None

    said = await eventually("what the button says", is_said)
    assert said["direction"] == "incoming"
    assert said["sender"]["name"].startswith("Olena")
    assert said["reply_to"]
    # The person's application does not wait any longer.
    assert (len(bot.answered), bot.pressed) == (1, [])

    refused_rows: tuple[list[list[dict[str, str]]], ...] = (
        [[{"text": "Both", "data": "x", "url": "https://x.example"}]],
        [[{"text": "Neither"}]],
        [[{"text": "Long", "data": "ї" * 33}]],
        [[]],
        [[{"text": "", "data": "x"}]],
        [[{"text": "Odd", "url": "javascript:alert(1)"}]],
        [[{"text": str(n), "data": "x"} for n in range(9)]],
    )
    for wrong in refused_rows:
        with pytest.raises(RequestRefused) as refused:
            await company.owner.post(f"{path}/messages", text="?", buttons=wrong)
        assert refused.value.status == 422, wrong


async def test_a_source_with_other_credentials_hears_at_once(company: Company) -> None:
    bot, source = await company.connect_telegram()
    path = f"/v1/sources/{source['source_id']}"
    again = company.telegram.add_bot(f"{bot.id}:{'N' * 35}")
    other = {"credentials": {"bot_token": again.token}}
    changed = await company.owner.call("PATCH", path, body=other)
    assert changed["webhook"]["registered"] is True
    olena = person()
    assert (await company.writes(again, olena, "Do you hear me?"))["update_id"]
    await company.case_of("Olena")
    health = await company.owner.get(f"{path}/health")
    assert health["registered"] is True
    assert health["last_update_at"]

    await company.owner.call("DELETE", path)
    assert (await company.owner.get(f"{path}/health"))["registered"] is False
    back = await company.owner.call("PATCH", path, body={**other, "connected": True})
    assert back["webhook"]["registered"] is True
    assert again.webhook["url"].endswith(source["source_id"])
