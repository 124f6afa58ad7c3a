"""A disconnected source's webhook is taken off its bot, sooner or later."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pymongo import AsyncMongoClient

from libs.runtime.kafka import Publisher
from parley.doubles.bot import Bot, Refusal
from services.ingest.webhooks import removal
from tests.support.eventually import eventually
from tests.support.ingest.service import SOURCE_ID, WORKSPACE, Client, Ingest, telegram_source
from tests.support.kafka import publish_state

pytestmark = pytest.mark.servers

PATH = f"/internal/v1/sources/{SOURCE_ID}"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "TICK_SECONDS", 0.1)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written down is looked at by itself, and not only when somebody asks."""
    monkeypatch.setattr(removal, "FIRST_PAUSE", timedelta(seconds=1))


async def registered(client: Client) -> None:
    status, body, _ = await client.call("POST", f"{PATH}/register?offset=0")
    assert (status, json.loads(body)["error"]) == (200, None)


async def disconnected(publisher: Publisher) -> int:
    """As routing tells of it: without the credentials."""
    source = telegram_source()
    gone = msgspec.structs.replace(source, connected=False, sealed_credentials=None)
    return await publish_state(publisher, gone, SOURCE_ID, WORKSPACE)


async def told(client: Client, offset: int) -> Any:
    status, body, _ = await client.call("POST", f"{PATH}/unregister?offset={offset}")
    assert status == 200, body
    return json.loads(body)


async def prepared(client: Client) -> None:
    assert (await client.call("POST", f"{PATH}/unregister"))[0] == 204


async def taken_off(bot: Bot) -> None:
    async def is_off() -> bool:
        return not bot.webhook

    await eventually(is_off)


async def waiting(ingest: Ingest) -> list[dict[str, Any]]:
    settings = ingest.environment
    async with AsyncMongoClient[dict[str, Any]](settings["PARLEY_MONGODB_URL"]) as mongo:
        database = mongo[settings["PARLEY_MONGODB_DATABASE"]]
        return await database["ingest_leaving"].find().to_list()


async def test_it_is_taken_off_with_credentials_that_are_forgotten_by_then(
    ingest: Ingest, publisher: Publisher, bot: Bot
) -> None:
    async with ingest.running() as client:
        await registered(client)
        await prepared(client)
        [note] = await waiting(ingest)
        assert bot.token not in str(note)
        answer = await told(client, await disconnected(publisher))

    assert (answer["registered"], answer["error"]) == (False, None)
    assert bot.webhook == {}
    assert await waiting(ingest) == []


async def test_where_telegram_is_not_reached_it_is_told_again_after_a_restart_too(
    soon: None, ingest: Ingest, publisher: Publisher, bot: Bot
) -> None:
    async with ingest.running() as client:
        await registered(client)
        await prepared(client)
        offset = await disconnected(publisher)
        bot.webhook_faults += [Refusal(429, "Too Many Requests: retry after 1", retry_after=1)]
        answer = await told(client, offset)
    assert answer["registered"]
    assert "told again" in answer["error"]
    assert bot.webhook

    async with ingest.running():
        await taken_off(bot)


async def test_who_disconnects_need_not_ask_for_the_end(
    soon: None, ingest: Ingest, publisher: Publisher, bot: Bot
) -> None:
    async with ingest.running() as client:
        await registered(client)
        await prepared(client)
        await disconnected(publisher)
        await taken_off(bot)


async def test_a_revoked_token_is_told_and_done(
    ingest: Ingest, publisher: Publisher, bot: Bot
) -> None:
    async with ingest.running() as client:
        await registered(client)
        await prepared(client)
        bot.webhook_faults.append(Refusal(401, "Unauthorized"))
        answer = await told(client, await disconnected(publisher))

    assert (answer["registered"], answer["error"]) == (True, "Unauthorized")
    assert await waiting(ingest) == []


async def test_a_webhook_that_is_not_ours_any_more_stays(
    ingest: Ingest, publisher: Publisher, bot: Bot
) -> None:
    async with ingest.running() as client:
        await registered(client)
        bot.webhook = {"url": "https://elsewhere.example/hook"}
        await prepared(client)
        answer = await told(client, await disconnected(publisher))

    assert answer["error"] is None
    assert bot.webhook == {"url": "https://elsewhere.example/hook"}


async def test_a_source_that_stays_connected_keeps_its_webhook(
    soon: None, ingest: Ingest, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ingest.running() as client:
        await registered(client)
        await prepared(client)
        answer = await told(client, 0)
        assert (answer["registered"], answer["error"]) == (True, "the source is connected")
        monkeypatch.setattr(removal, "NEVER_CAME_AFTER", timedelta(0))
        await eventually(lambda: _none_waits(ingest))
        assert bot.webhook

        await prepared(client)
        await registered(client)
        assert await waiting(ingest) == []


async def _none_waits(ingest: Ingest) -> bool:
    return await waiting(ingest) == []


async def test_it_is_given_up_after_a_day(ingest: Ingest, publisher: Publisher, bot: Bot) -> None:
    async with ingest.running() as client:
        await registered(client)
        await prepared(client)
        offset = await disconnected(publisher)
        settings = ingest.environment
        async with AsyncMongoClient[dict[str, Any]](settings["PARLEY_MONGODB_URL"]) as mongo:
            await mongo[settings["PARLEY_MONGODB_DATABASE"]]["ingest_leaving"].update_one(
                {}, {"$set": {"written_at": datetime.now(UTC) - timedelta(days=2)}}
            )
        bot.webhook_faults += [Refusal(502, "Bad Gateway")] * 5
        answer = await told(client, offset)

    assert answer["registered"]
    assert await waiting(ingest) == []
