"""Ingest as it runs, a shop with a bot, and what tests ask of both."""

import asyncio
import io
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from libs.events.actions import Action
from libs.events.content import Channel, Content
from libs.events.directory import SourceState
from libs.events.envelope import Envelope
from libs.events.ids import IdKey
from libs.events.inbound import CorrectionFailed, DeliveryChanged
from libs.events.outbound import OutboundDeleteRequested, OutboundEditRequested, OutboundRequested
from libs.events.topics import Topic
from libs.runtime.kafka import Publisher, outgoing
from libs.runtime.process import running
from libs.runtime.sealing import Sealer
from libs.runtime.settings import load
from libs.runtime.tokens import ServiceTokens
from parley.doubles.bot import Bot
from parley.doubles.bot_api import BotApiDouble
from services.ingest.app import SERVICE
from services.ingest.ports.sending import Request
from services.ingest.settings import IngestSettings
from tests.support.http import ready
from tests.support.kafka import Tap, envelope, publish_state
from tests.support.trust import SERVICE_KEYS, tokens_of

WORKSPACE = "wsp_test"


TOPICS = (Topic.CONVERSATION, Topic.DELIVERY, Topic.DIRECTORY, Topic.INBOUND, Topic.OUTBOUND)


BOT_TOKEN = "4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcq"


BOT_ID = "4839574812"


SECRET = "s3cret-token"


ANNA = 42


BORIS = 43


DEPLOYMENT_KEY = bytes(range(32))


IDS = IdKey(DEPLOYMENT_KEY)


SOURCE_ID = IDS.source(WORKSPACE, "telegram", BOT_ID)


def telegram_source(
    bot_token: str = BOT_TOKEN,
    secret: str = SECRET,
    connected: bool = True,
    workspace_id: str = WORKSPACE,
) -> SourceState:
    account = bot_token.partition(":")[0]
    source_id = IDS.source(workspace_id, "telegram", account)
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
        self.tokens = tokens_of("gateway")

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
        await ready(self.session, "")

    def url(self, path: str) -> str:
        base = self.session._base_url
        assert base is not None
        return str(base.join(URL(path)))

    async def answer_to(self, head: str) -> bytes:
        """The first line of the answer to a request whose body does not come."""
        base = URL(self.url("/"))
        reader, writer = await asyncio.open_connection(base.host, base.port)
        try:
            writer.write(head.encode())
            async with asyncio.timeout(5):
                return await reader.readline()
        finally:
            writer.close()
            await writer.wait_closed()

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
        token = self.tokens.issue("ingest", workspace_id, "mbr_1", list(Action))
        body = io.BytesIO(data) if data is not None else None
        async with self.session.request(
            method, path, data=body, headers={"authorization": f"Bearer {token}", **(headers or {})}
        ) as answer:
            sent = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, await answer.read(), sent


class Shop:
    """A bot, its source, and what a test asks of them through ``live``."""

    def __init__(self, live: "Live", bot: Bot, source: SourceState) -> None:
        self.live = live
        self.bot = bot
        self.source = source
        self.bot.chats |= {ANNA, BORIS}

    def conversation(self, chat: int | str = ANNA) -> str:
        """``chat``: its id, or the whole thread."""
        return IDS.conversation(self.source.source_id, str(chat))

    def request(
        self, name: str, text: str = "hello", chat: int = ANNA, **more: Any
    ) -> OutboundRequested:
        return OutboundRequested(
            **{
                "message_id": f"msg_{self.bot.id}_{name}",
                "conversation_id": self.conversation(chat),
                "case_id": "cas_1",
                "source_id": self.source.source_id,
                "channel": Channel.TELEGRAM,
                "thread": str(chat),
                "content": Content(text=text),
                "requested_at": datetime.now(UTC),
                "member_id": "mem_1",
                **more,
            }
        )

    async def ask(self, *requests: Request) -> None:
        await self.live.publisher.publish(
            [outgoing(envelope(one, one.conversation_id, WORKSPACE)) for one in requests]
        )

    def edit(self, name: str, text: str, *external: str, **more: Any) -> OutboundEditRequested:
        """Of what was sent as ``name``."""
        fields = self._correction(name, "edit", external)
        return OutboundEditRequested(**{**fields, "content": Content(text=text), **more})

    def deletion(self, name: str, *external: str, **more: Any) -> OutboundDeleteRequested:
        return OutboundDeleteRequested(**{**self._correction(name, "delete", external), **more})

    def _correction(self, name: str, kind: str, external: tuple[str, ...]) -> dict[str, Any]:
        message_id = f"msg_{self.bot.id}_{name}"
        return {
            "request_id": f"{message_id}.{kind}.{uuid.uuid4().hex[:4]}",
            "message_id": message_id,
            "conversation_id": self.conversation(),
            "case_id": "cas_1",
            "source_id": self.source.source_id,
            "channel": Channel.TELEGRAM,
            "thread": str(ANNA),
            "external_message_ids": external,
            "requested_at": datetime.now(UTC),
            "member_id": "mem_1",
        }

    async def not_corrected(self, name: str) -> CorrectionFailed:
        """Why a message could not be corrected, as soon as it is told."""
        message_id = f"msg_{self.bot.id}_{name}"

        def look() -> CorrectionFailed | None:
            bodies = (event.body for event in self.live.delivery.events())
            failed = (one for one in bodies if isinstance(one, CorrectionFailed))
            return next((one for one in failed if one.message_id == message_id), None)

        return await self.live.delivery.until(look)

    def changes(self, name: str) -> list[DeliveryChanged]:
        message_id = f"msg_{self.bot.id}_{name}"
        bodies = (event.body for event in self.live.delivery.events())
        return [
            body
            for body in bodies
            if isinstance(body, DeliveryChanged) and body.message_id == message_id
        ]

    async def told(self, *names: str) -> list[DeliveryChanged]:
        """What became of the messages, as soon as it is known of all."""

        def look() -> list[DeliveryChanged] | None:
            changes = [self.changes(name) for name in names]
            return [one[-1] for one in changes] if all(changes) else None

        return await self.live.delivery.until(look)

    async def hook(self, update: bytes | dict[str, Any], secret: str | None = SECRET) -> int:
        return await self.live.client.hook(update, secret, self.source.source_id)

    async def inbound(self, count: int, chat: int | str = ANNA) -> list[Envelope]:
        """The first ``count`` events of the chat's conversation."""
        key = self.conversation(chat)

        def look() -> list[Envelope] | None:
            events = self.live.inbound.events(key)
            return events if len(events) >= count else None

        return await self.live.inbound.until(look)


@dataclass(frozen=True, slots=True)
class Live:
    client: Client
    publisher: Publisher
    telegram: BotApiDouble
    delivery: Tap
    inbound: Tap
    environment: dict[str, str]

    def topic(self, name: str) -> str:
        return self.environment["PARLEY_KAFKA_NAMESPACE"] + name

    async def connect(self, source: SourceState) -> None:
        """Put the source on the directory; ingest knows it, and has registered its webhook."""
        offset = await publish_state(self.publisher, source, source.source_id, WORKSPACE)
        path = f"/internal/v1/sources/{source.source_id}/register?offset={offset}"
        status, body, _ = await self.client.call("POST", path)
        assert status == 200, body


def environment_of(
    bootstrap: str, namespace: str, mongodb_url: str, database: str, folder: Path
) -> dict[str, str]:
    return {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "PARLEY_KAFKA_NAMESPACE": namespace,
        "PARLEY_MONGODB_URL": mongodb_url,
        "PARLEY_MONGODB_DATABASE": database,
        "PARLEY_DEPLOYMENT_KEY": DEPLOYMENT_KEY.hex(),
        **SERVICE_KEYS,
        "PARLEY_INGEST_PUBLIC_URL": "http://127.0.0.1:1",
        "PARLEY_INGEST_CONVERSATION_URL": "http://127.0.0.1:1",
        "PARLEY_INGEST_TELEGRAM_API_URL": "http://127.0.0.1:1",
        "PARLEY_INGEST_STORAGE_URL": (folder / "attachments").as_uri(),
    }
