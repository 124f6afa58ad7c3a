"""Telling Telegram where its webhook is."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from libs.runtime.kafka import Publisher
from parley.doubles.bot import Bot
from parley.doubles.bot_api import BotApiDouble
from tests.support.eventually import eventually
from tests.support.ingest.service import (
    SECRET,
    SOURCE_ID,
    WORKSPACE,
    Ingest,
    Live,
    Shop,
    telegram_source,
)
from tests.support.kafka import publish_state

pytestmark = pytest.mark.servers


async def test_registration_waits_for_the_directory_and_tells_telegram(
    live: Live, shop: Shop
) -> None:
    path = f"/internal/v1/sources/{shop.source.source_id}/register"
    status, body, _ = await live.client.call("POST", f"{path}?offset=0")

    assert status == 200
    assert json.loads(body) == {
        "registered": True,
        "error": None,
        "webhook_url": shop.bot.webhook["url"],
    }
    assert shop.bot.webhook["url"].endswith(f"/hooks/telegram/{shop.source.source_id}")
    assert shop.bot.webhook["secret_token"] == SECRET
    assert "edited_business_message" in shop.bot.webhook["allowed_updates"]


async def test_who_may_not_and_what_is_not_there(live: Live, shop: Shop) -> None:
    path = f"/internal/v1/sources/{shop.source.source_id}/register"
    assert (await live.client.call("POST", path))[0] == 400
    assert (await live.client.call("POST", f"{path}?offset=0", "wsp_other"))[0] == 404
    unknown = "/internal/v1/sources/src_unknown/register?offset=0"
    assert (await live.client.call("POST", unknown, WORKSPACE))[0] == 404
    async with live.client.session.post(f"{path}?offset=0") as answer:
        assert answer.status == 401


async def test_telegrams_refusal_is_told_in_its_words(live: Live, shop: Shop) -> None:
    revoked = telegram_source(f"{shop.bot.id}9:revoked")
    await live.connect(revoked)
    path = f"/internal/v1/sources/{revoked.source_id}/register?offset=0"
    _, body, _ = await live.client.call("POST", path)
    assert json.loads(body)["error"] == "Unauthorized"


async def test_telegram_wants_https(ingest: Ingest, bot: Bot) -> None:
    path = f"/internal/v1/sources/{SOURCE_ID}/register?offset=0"
    async with ingest.running(PARLEY_INGEST_PUBLIC_URL="http://in.example") as client:
        _, body, _ = await client.call("POST", path)
    assert "HTTPS" in json.loads(body)["error"]
    assert bot.webhook == {}


async def told(bot: Bot, secret: str) -> None:
    await eventually(lambda: bot.webhook.get("secret_token") == secret)


async def test_whoever_died_in_between_telegram_is_told_by_itself(
    ingest: Ingest, own_telegram: BotApiDouble, bot: Bot, publisher: Publisher
) -> None:
    """Connected, connected again or given other credentials: nobody has to ask for it."""
    async with ingest.running() as client:
        await told(bot, SECRET)
        again = own_telegram.add_bot(f"{bot.id}:next")
        other = telegram_source(f"{bot.id}:next", secret="next")
        await publish_state(publisher, other, other.source_id, WORKSPACE)
        await told(again, "next")
        health = f"/internal/v1/sources/{SOURCE_ID}/health"
        _, body, _ = await client.call("GET", health)
        assert json.loads(body)["registered"] is True


async def test_a_bot_of_another_source_is_not_taken_from_it(live: Live, shop: Shop) -> None:
    path = f"/internal/v1/sources/{shop.source.source_id}"
    await live.client.call("POST", f"{path}/register?offset=0")
    url = shop.bot.webhook["url"]
    second = telegram_source(shop.bot.token, workspace_id="wsp_2")
    await publish_state(live.publisher, second, second.source_id, "wsp_2")

    taking = f"/internal/v1/sources/{second.source_id}"
    async with asyncio.timeout(10):
        while True:
            status, body, _ = await live.client.call("POST", f"{taking}/register?offset=0", "wsp_2")
            if status == 200:
                break
    assert json.loads(body)["registered"] is False
    assert json.loads(body)["error"]
    assert shop.bot.webhook["url"] == url

    told = [
        json.loads((await live.client.call("GET", f"{one}/health", workspace))[1])["registered"]
        for one, workspace in ((path, WORKSPACE), (taking, "wsp_2"))
    ]
    assert told == [True, False]


async def test_health_says_when_the_last_update_came(live: Live, shop: Shop) -> None:
    path = f"/internal/v1/sources/{shop.source.source_id}"
    await live.client.call("POST", f"{path}/register?offset=0")
    before = json.loads((await live.client.call("GET", f"{path}/health"))[1])
    assert before.get("last_update_at") is None
    now = datetime.now(UTC)
    assert await shop.hook({"update_id": 1}) == 200
    after = json.loads((await live.client.call("GET", f"{path}/health"))[1])
    assert datetime.fromisoformat(after["last_update_at"]) >= now
    shop.bot.webhook = {"url": "https://elsewhere.example/hook"}
    gone = json.loads((await live.client.call("GET", f"{path}/health"))[1])
    assert gone["registered"] is False
    assert gone["error"]
