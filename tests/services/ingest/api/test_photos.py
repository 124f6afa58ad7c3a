"""What a customer looks like, asked of Telegram when somebody looks."""

import json
from typing import Any

import pytest

from tests.support.ingest.service import ANNA, BORIS, WORKSPACE, Live, Shop

pytestmark = pytest.mark.servers

FACE = b"\xff\xd8\xff\xe0" + b"a face" * 100


def telegram_place(shop: Shop, thread: int | str = ANNA) -> dict[str, Any]:
    return {"source_id": shop.source.source_id, "channel": "telegram", "thread": str(thread)}


async def photo_of(
    live: Live, *places: dict[str, Any], workspace_id: str = WORKSPACE, known: str = ""
) -> tuple[int, bytes, dict[str, str]]:
    headers = {"content-type": "application/json"}
    if known:
        headers["if-none-match"] = known
    body = json.dumps({"places": places}).encode()
    return await live.client.call("POST", "/v1/photos", workspace_id, body, headers)


def problem_of(answer: tuple[int, bytes, dict[str, str]]) -> tuple[int, str]:
    return answer[0], json.loads(answer[1])["type"].removeprefix("urn:parley:problem:")


@pytest.fixture
def anna_shown(shop: Shop) -> Shop:
    """Anna shows her face to whoever she writes to; Boris does not."""
    shop.bot.files["anna"] = FACE
    shop.bot.photos[ANNA] = "anna"
    return shop


async def test_the_photo_that_the_chat_has(live: Live, anna_shown: Shop) -> None:
    status, content, headers = await photo_of(live, telegram_place(anna_shown))
    assert (status, content, headers["content-type"]) == (200, FACE, "image/jpeg")
    assert headers["cache-control"].startswith("private,")

    # Who has it already is told so, until it changes.
    same = await photo_of(live, telegram_place(anna_shown), known=headers["etag"])
    assert same[:2] == (304, b"")
    anna_shown.bot.files["new"] = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
    anna_shown.bot.photos[ANNA] = "new"
    changed = await photo_of(live, telegram_place(anna_shown), known=headers["etag"])
    assert (changed[0], changed[2]["content-type"]) == (200, "image/png")


async def test_a_business_chat_is_the_customers_own(live: Live, anna_shown: Shop) -> None:
    place = telegram_place(anna_shown, f"business:connection:{ANNA}")
    assert (await photo_of(live, place))[:2] == (200, FACE)


async def test_the_first_place_that_has_one(live: Live, anna_shown: Shop) -> None:
    widget = {"source_id": "src_widget", "channel": "widget", "thread": "vis_1"}
    places = [widget, telegram_place(anna_shown, BORIS), telegram_place(anna_shown)]
    assert (await photo_of(live, *places))[:2] == (200, FACE)


async def test_who_shows_none_has_none(live: Live, anna_shown: Shop) -> None:
    nobody: tuple[list[dict[str, Any]], ...] = (
        [],
        [telegram_place(anna_shown, BORIS)],
        [telegram_place(anna_shown, 7)],  # never wrote to the bot
        [telegram_place(anna_shown, "not a chat")],
        [{"source_id": "src_widget", "channel": "widget", "thread": "vis_1"}],
        [{**telegram_place(anna_shown), "source_id": "src_unknown"}],
    )
    for places in nobody:
        assert problem_of(await photo_of(live, *places)) == (404, "not-found"), places
    # The file went while it was asked for, or is no image whatever it is called.
    for content in (None, b"<html>"):
        anna_shown.bot.photos[ANNA] = "broken"
        if content:
            anna_shown.bot.files["broken"] = content
        assert problem_of(await photo_of(live, telegram_place(anna_shown))) == (404, "not-found")


async def test_a_source_of_another_workspace_is_not_asked(live: Live, anna_shown: Shop) -> None:
    calls = anna_shown.bot.calls
    place = telegram_place(anna_shown)
    assert problem_of(await photo_of(live, place, workspace_id="wsp_other")) == (404, "not-found")
    assert anna_shown.bot.calls == calls
    async with live.client.session.post("/v1/photos", json={"places": [place]}) as answer:
        assert answer.status == 401


async def test_a_platform_that_does_not_answer_is_asked_again_later(
    live: Live, anna_shown: Shop
) -> None:
    for is_busy in (True, False):
        if is_busy:
            anna_shown.bot.too_many(retry_after=30)
        else:
            anna_shown.bot.break_next()
        answer = await photo_of(live, telegram_place(anna_shown))
        assert problem_of(answer) == (503, "unavailable")
        assert answer[2]["retry-after"] == "1"
    assert (await photo_of(live, telegram_place(anna_shown)))[0] == 200


async def test_nothing_of_a_photo_is_kept(live: Live, anna_shown: Shop) -> None:
    await photo_of(live, telegram_place(anna_shown))
    del anna_shown.bot.photos[ANNA]
    assert (await photo_of(live, telegram_place(anna_shown)))[0] == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "places"),
        (
            {"places": [{"source_id": "src_1", "channel": "fax", "thread": "1"}]},
            "places[0].channel",
        ),
        ({"places": [], "size": "big"}, "size"),
    ],
)
async def test_a_bad_question_is_refused_by_naming_the_field(
    live: Live, body: dict[str, Any], field: str
) -> None:
    status, answer, _ = await live.client.call("POST", "/v1/photos", data=json.dumps(body).encode())
    assert (status, [one["field"] for one in json.loads(answer)["errors"]]) == (422, [field])
