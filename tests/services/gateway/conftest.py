"""The gateway and routing running on the real servers, shared by the tests; a workspace each."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from pymongo import AsyncMongoClient

from libs.events.directory import Role
from libs.runtime.broker import publishing
from libs.runtime.process import running
from libs.runtime.settings import load
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
from tests.support.gateway.office import Office, open_office
from tests.support.gateway.suite import NOBODY_LISTENS, Api, Member, Suite, Team, new_team
from tests.support.http import ready
from tests.support.trust import SERVICE_KEYS, tokens_of


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
        publisher = await stack.enter_async_context(publishing(kafka_bootstrap, unique + "."))
        mongo = await stack.enter_async_context(AsyncMongoClient[dict[str, Any]](mongodb_url))
        services = (routing_url, conversation_url, ingest_url, notify_url, analytics_url)
        for address in (*services, url, replica_url):
            await ready(http, address)
        cli = tokens_of("cli")
        yield Suite(url, replica_url, ingest_url, http, publisher, cli, mongo, environment)
        await mongo.drop_database(unique)


@pytest.fixture(scope="module")
async def office(suite: Suite) -> Office:
    """A workspace for the tests of one module: its lists show what they made, and nothing else."""
    return await open_office(suite)


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
