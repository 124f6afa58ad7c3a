"""Ingest running on the real servers, with one Telegram source in its directory."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from libs.events.content import Channel
from libs.events.directory import SourceState
from libs.events.ids import IdKey
from libs.runtime.kafka import Publisher
from libs.runtime.process import running
from libs.runtime.sealing import Sealer
from libs.runtime.settings import load
from libs.runtime.tokens import ServiceTokens
from libs.runtime.topics import create_topics
from parley.doubles.bot_api import Bot, BotApiDouble
from services.ingest.app import SERVICE
from services.ingest.settings import IngestSettings
from tests.support.kafka import publish_state

WORKSPACE = "wsp_test"
BOT_TOKEN = "4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcq"
BOT_ID = "4839574812"
SECRET = "s3cret-token"
ANNA = 42
BORIS = 43
DEPLOYMENT_KEY = bytes(range(32))
SERVICE_KEY = bytes(range(32, 64))
IDS = IdKey(DEPLOYMENT_KEY)
SOURCE_ID = IDS.source(WORKSPACE, "telegram", BOT_ID)


def telegram_source(
    bot_token: str = BOT_TOKEN, secret: str = SECRET, connected: bool = True
) -> SourceState:
    account = bot_token.partition(":")[0]
    source_id = IDS.source(WORKSPACE, "telegram", account)
    credentials = json.dumps({"bot_token": bot_token, "secret_token": secret}).encode()
    return SourceState(
        source_id=source_id,
        channel=Channel.TELEGRAM,
        name="Shop bot",
        location_id="loc_1",
        account=account,
        connected=connected,
        sealed_credentials=Sealer(DEPLOYMENT_KEY, "credentials").seal(credentials, source_id),
    )


class Ingest:
    """Ingest's environment, and what the tests of this service ask of it."""

    def __init__(self, bootstrap: str, namespace: str, environment: dict[str, str]) -> None:
        self.bootstrap = bootstrap
        self.namespace = namespace
        self.environment = environment
        self.tokens = ServiceTokens(SERVICE_KEY, "gateway")

    def settings(self, **changes: str) -> IngestSettings:
        return load(IngestSettings, self.environment | changes)

    def topic(self, name: str) -> str:
        return self.namespace + name

    @asynccontextmanager
    async def running(self, **changes: str) -> AsyncIterator["Client"]:
        async with (
            running(SERVICE, self.settings(**changes)) as (url, _failure),
            aiohttp.ClientSession(url) as session,
        ):
            client = Client(session, self.tokens)
            await client.ready()
            yield client


class Client:
    def __init__(self, session: aiohttp.ClientSession, tokens: ServiceTokens) -> None:
        self.session = session
        self.tokens = tokens

    async def ready(self) -> None:
        for _ in range(200):
            async with self.session.get("/readyz") as answer:
                if answer.status == 200:
                    return
                body = await answer.text()
        raise AssertionError(f"ingest is not ready: {body}")

    async def hook(
        self, update: bytes | dict[str, Any], secret: str | None = SECRET, source: str = SOURCE_ID
    ) -> int:
        body = update if isinstance(update, bytes) else json.dumps(update).encode()
        headers = {"content-type": "application/json"}
        if secret is not None:
            headers["X-Telegram-Bot-Api-Secret-Token"] = secret
        async with self.session.post(
            f"/hooks/telegram/{source}", data=body, headers=headers
        ) as answer:
            await answer.read()
            return answer.status

    async def call(
        self,
        method: str,
        path: str,
        workspace_id: str = WORKSPACE,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        token = self.tokens.issue("ingest", workspace_id)
        body = io.BytesIO(data) if data is not None else None
        async with self.session.request(
            method, path, data=body, headers={"authorization": f"Bearer {token}", **(headers or {})}
        ) as answer:
            sent = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, await answer.read(), sent


@pytest.fixture
async def publisher(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Publisher]:
    await create_topics(kafka_bootstrap, kafka_namespace)
    async with Publisher(kafka_bootstrap, kafka_namespace) as publisher:
        yield publisher


@pytest.fixture
async def ingest(
    kafka_bootstrap: str,
    kafka_namespace: str,
    mongodb_url: str,
    mongodb_name: str,
    publisher: Publisher,
    tmp_path: Path,
) -> Ingest:
    """Not started yet; its topics are there, and the source is on the directory."""
    await publish_state(publisher, telegram_source(), SOURCE_ID, WORKSPACE)
    environment = {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "PARLEY_KAFKA_NAMESPACE": kafka_namespace,
        "PARLEY_MONGODB_URL": mongodb_url,
        "PARLEY_MONGODB_DATABASE": mongodb_name,
        "PARLEY_DEPLOYMENT_KEY": DEPLOYMENT_KEY.hex(),
        "PARLEY_SERVICE_KEY": SERVICE_KEY.hex(),
        "PARLEY_INGEST_PUBLIC_URL": "http://127.0.0.1:1",
        "PARLEY_INGEST_CONVERSATION_URL": "http://127.0.0.1:1",
        "PARLEY_INGEST_TELEGRAM_API_URL": "http://127.0.0.1:1",
        "PARLEY_INGEST_STORAGE_URL": (tmp_path / "attachments").as_uri(),
    }
    return Ingest(kafka_bootstrap, kafka_namespace, environment)


@pytest.fixture
async def telegram() -> AsyncIterator[BotApiDouble]:
    async with BotApiDouble() as double:
        yield double


@pytest.fixture
def bot(telegram: BotApiDouble, ingest: Ingest) -> Bot:
    ingest.environment["PARLEY_INGEST_TELEGRAM_API_URL"] = telegram.url
    bot = telegram.add_bot(BOT_TOKEN)
    bot.chats |= {ANNA, BORIS}
    return bot
