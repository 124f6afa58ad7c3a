"""The gateway and routing running on the real servers, shared by the tests; a workspace each."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from pymongo import AsyncMongoClient

from libs.events.conversation import Audience, CaseFacts
from libs.events.directory import Role
from libs.runtime.kafka import Publisher
from libs.runtime.process import running
from libs.runtime.settings import load
from libs.runtime.tokens import ServiceTokens
from libs.runtime.topics import create_topics
from services.analytics.app import SERVICE as ANALYTICS
from services.analytics.settings import AnalyticsSettings
from services.conversation.app import SERVICE as CONVERSATION
from services.conversation.settings import ConversationSettings
from services.gateway.app import SERVICE as GATEWAY
from services.gateway.settings import GatewaySettings
from services.ingest.app import SERVICE as INGEST
from services.ingest.settings import IngestSettings
from services.notify.app import SERVICE as NOTIFY
from services.notify.settings import NotifySettings
from services.routing.app import SERVICE as ROUTING
from services.routing.settings import RoutingSettings
from tests.support.trust import SERVICE_KEYS, tokens_of

NOBODY_LISTENS = "http://127.0.0.1:9"  # the discard port
BOT_TOKEN = "4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcq"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


class Api:
    """Calls the gateway with one token, or none."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None = None) -> None:
        self.session = session
        self.url = url
        self.token = token

    def with_token(self, token: str | None) -> "Api":
        return Api(self.session, self.url, token)

    async def __call__(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = dict(headers or {})
        if self.token is not None:
            sent["authorization"] = f"Bearer {self.token}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        async with self.session.request(
            method, self.url + path, data=data, headers=sent, skip_auto_headers=["content-type"]
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def sign_in(self, email: str, password: str) -> "Api":
        answer = await self("POST", "/v1/sign-in", {"email": email, "password": password})
        assert answer.status == 200, answer.content
        return self.with_token(answer.body["token"])


@dataclass(frozen=True)
class Suite:
    """What runs: the gateway's addresses, and the servers under it.

    Behind ``url`` only routing answers; behind ``replica_url`` all the services do.
    """

    url: str
    replica_url: str
    ingest_url: str
    http: aiohttp.ClientSession
    publisher: Publisher
    cli: ServiceTokens
    mongo: AsyncMongoClient[dict[str, Any]]
    environment: dict[str, str]

    @property
    def accounts(self) -> Any:
        return self.mongo[self.environment["PARLEY_MONGODB_DATABASE"]]["gateway_accounts"]


@dataclass(frozen=True)
class Member:
    member_id: str
    email: str
    password: str
    api: Api


async def choose_password(api: Api, current: str) -> str:
    """Another one, which is the answer."""
    new = f"one of my own {uuid.uuid4().hex[:8]}"
    body = {"current_password": current, "new_password": new}
    assert (await api("POST", "/v1/me/password", body)).status == 204
    return new


@dataclass(frozen=True)
class Team:
    """A workspace with its owner signed in."""

    workspace_id: str
    location_id: str
    owner: Member

    async def add(self, role: Role, **fields: object) -> Member:
        """A member, signed in, with a password of their own."""
        email = f"{uuid.uuid4().hex[:8]}@shop.example"
        body = {"name": "Dima", "email": email, "role": role, **fields}
        made = (await self.owner.api("POST", "/v1/members", body)).body
        api = await self.owner.api.with_token(None).sign_in(email, made["password"])
        password = await choose_password(api, made["password"])
        return Member(made["member_id"], email, password, api)

    async def group(self, name: str, *members: Member) -> str:
        body = {"name": name, "member_ids": [member.member_id for member in members]}
        made = await self.owner.api("POST", "/v1/groups", body)
        return str(made.body["group_id"])


@pytest.fixture(scope="session")
async def suite(
    kafka_bootstrap: str,
    mongodb_url: str,
    clickhouse_dsn: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Suite]:
    unique = "t" + uuid.uuid4().hex[:8]
    await create_topics(kafka_bootstrap, unique + ".")
    shared = {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "PARLEY_KAFKA_NAMESPACE": unique + ".",
        "PARLEY_MONGODB_URL": mongodb_url,
        "PARLEY_MONGODB_DATABASE": unique,
        "PARLEY_DEPLOYMENT_KEY": bytes(range(32)).hex(),
        **SERVICE_KEYS,
        "PARLEY_WEBHOOKS_ALLOW_PRIVATE": "true",
        "PARLEY_TRUSTED_PROXIES": "127.0.0.1",
    }
    async with AsyncExitStack() as stack:
        routing_url, _ = await stack.enter_async_context(
            running(ROUTING, load(RoutingSettings, shared))
        )
        environment = {
            **shared,
            "PARLEY_GATEWAY_PUBLIC_URL": "https://api.parley.example",
            "PARLEY_GATEWAY_INGEST_PUBLIC_URL": "https://hooks.parley.example/",
            "PARLEY_GATEWAY_CONVERSATION_URL": NOBODY_LISTENS,
            "PARLEY_GATEWAY_ROUTING_URL": routing_url,
            "PARLEY_GATEWAY_INGEST_URL": NOBODY_LISTENS,
            "PARLEY_GATEWAY_NOTIFY_URL": NOBODY_LISTENS,
            "PARLEY_GATEWAY_ANALYTICS_URL": NOBODY_LISTENS,
            "PARLEY_GATEWAY_ALLOWED_ORIGINS": "https://console.parley.example",
            "PARLEY_GATEWAY_ATTACHMENT_MAX_BYTES": "100000",
        }
        settings = load(GatewaySettings, environment)
        url, _ = await stack.enter_async_context(running(GATEWAY, settings))
        conversation_url, _ = await stack.enter_async_context(
            running(
                CONVERSATION,
                load(
                    ConversationSettings, shared | {"PARLEY_CONVERSATION_ANCHOR_URL": "memory:///"}
                ),
            )
        )
        own = {
            "PARLEY_INGEST_PUBLIC_URL": "https://hooks.parley.example",
            "PARLEY_INGEST_CONVERSATION_URL": conversation_url,
            "PARLEY_INGEST_TELEGRAM_API_URL": NOBODY_LISTENS,
            "PARLEY_INGEST_STORAGE_URL": f"file://{tmp_path_factory.mktemp('attachments')}",
        }
        ingest_url, _ = await stack.enter_async_context(
            running(INGEST, load(IngestSettings, shared | own))
        )
        own = {"PARLEY_NOTIFY_CONSOLE_URL": "https://console.parley.example"}
        notify_url, _ = await stack.enter_async_context(
            running(NOTIFY, load(NotifySettings, shared | own))
        )
        own = {
            "PARLEY_ANALYTICS_CLICKHOUSE_DSN": clickhouse_dsn,
            "PARLEY_ANALYTICS_CLICKHOUSE_DATABASE": unique,
        }
        without_mongo = {k: v for k, v in shared.items() if "MONGODB" not in k}
        analytics_url, _ = await stack.enter_async_context(
            running(ANALYTICS, load(AnalyticsSettings, without_mongo | own))
        )
        others = {
            "PARLEY_GATEWAY_CONVERSATION_URL": conversation_url,
            "PARLEY_GATEWAY_INGEST_URL": ingest_url,
            "PARLEY_GATEWAY_NOTIFY_URL": notify_url,
            "PARLEY_GATEWAY_ANALYTICS_URL": analytics_url,
        }
        replica_url, _ = await stack.enter_async_context(
            running(GATEWAY, load(GatewaySettings, environment | others))
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        publisher = await stack.enter_async_context(Publisher(kafka_bootstrap, unique + "."))
        mongo = await stack.enter_async_context(AsyncMongoClient[dict[str, Any]](mongodb_url))
        services = (routing_url, conversation_url, ingest_url, notify_url, analytics_url)
        for address in (*services, url, replica_url):
            await _ready(http, address)
        cli = tokens_of("cli")
        yield Suite(url, replica_url, ingest_url, http, publisher, cli, mongo, environment)
        await mongo.drop_database(unique)


@pytest.fixture
def api(suite: Suite) -> Api:
    """Not signed in."""
    return Api(suite.http, suite.url)


@pytest.fixture
async def team(suite: Suite, api: Api) -> Team:
    return await new_team(suite, api)


@pytest.fixture(scope="session")
async def staff(suite: Suite) -> tuple[Team, dict[Role, Member]]:
    """A workspace with a member of every role, for tests that leave it as it is."""
    team = await new_team(suite, Api(suite.http, suite.url))
    others = [role for role in Role if role is not Role.OWNER]
    return team, {Role.OWNER: team.owner} | {role: await team.add(role) for role in others}


async def new_team(suite: Suite, api: Api) -> Team:
    answer = await open_workspace(suite, api, f"{uuid.uuid4().hex[:8]}@shop.example")
    made = answer.body
    owner = await api.sign_in(made["email"], made["password"])
    return Team(
        made["workspace_id"],
        made["location_id"],
        Member(made["member_id"], made["email"], made["password"], owner),
    )


async def open_workspace(suite: Suite, api: Api, owner_email: str, **fields: str) -> Answer:
    body = {
        "name": "Coffee & Co",
        "language": "uk",
        "location_name": "Khreshchatyk",
        "time_zone": "Europe/Kyiv",
        "owner_name": "Olena",
        "owner_email": owner_email,
        **fields,
    }
    return await api.with_token(suite.cli.issue("gateway", ""))(
        "POST", "/internal/v1/workspaces", body
    )


async def _ready(http: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            async with http.get(url + "/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


def a_case(team: Team, **fields: Any) -> CaseFacts:
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "case_id": "cas_" + uuid.uuid4().hex[:8],
        "conversation_id": "cnv_" + uuid.uuid4().hex[:8],
        "source_id": "src_1",
        "channel": "telegram",
        "location_id": team.location_id,
        "customer_id": "cus_1",
        "state": "new",
        "opened_at": now,
        "opened_by": "customer",
        **fields,
    }
    return CaseFacts(**given)


def audience(team: Team, **fields: Any) -> Audience:
    return Audience(**{"location_id": team.location_id, **fields})
