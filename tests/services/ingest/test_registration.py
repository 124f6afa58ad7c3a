"""Telling Telegram where its webhook is."""

import json

import pytest

from parley.doubles.bot import Bot
from tests.services.ingest.conftest import (
    SECRET,
    SOURCE_ID,
    WORKSPACE,
    Ingest,
    Live,
    Shop,
    telegram_source,
)

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
