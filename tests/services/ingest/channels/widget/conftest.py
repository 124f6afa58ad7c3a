"""One small composition, with conversation behind it, for all tests here.

Each test connects a source of its own, in a workspace of its own.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from obstore.store import ObjectStore
from pymongo import AsyncMongoClient

from libs.runtime.broker import publishing
from libs.runtime.kafka import Publisher
from libs.runtime.limiter import Rate
from libs.runtime.process import running
from libs.runtime.settings import DeploymentSettings, load
from libs.runtime.topics import create_topics
from services.conversation.app import SERVICE as CONVERSATION
from services.conversation.settings import ConversationSettings
from services.ingest.channels.widget.routes import WidgetLimits
from tests.services.ingest.channels.widget.site import (
    ORIGIN,
    Site,
    connect_source,
    environment_for,
    widget_service,
)
from tests.services.ingest.channels.widget.team import Team

READY_SECONDS = 20
# All tests come from one address; the limits have tests of their own.
GENEROUS = WidgetLimits(
    sessions=Rate(100_000, 1),
    messages_of_an_address=Rate(100_000, 1),
    messages_of_a_source=Rate(100_000, 1),
    of_an_address=Rate(100_000, 1),
    of_a_source=Rate(100_000, 1),
)


@dataclass(frozen=True)
class Stack:
    """The servers and clients that all tests of the widget share."""

    bootstrap: str
    namespace: str
    publisher: Publisher
    http: aiohttp.ClientSession
    mongo: dict[str, str]
    conversation_url: str
    url: str

    @asynccontextmanager
    async def another(
        self,
        *,
        limits: WidgetLimits | None = None,
        follows_directory: bool = True,
        publishes_to: str | None = None,
        storage: ObjectStore | None = None,
    ) -> AsyncIterator[str]:
        """A second process of the service with something different about it: its URL."""
        spec = widget_service(
            self.conversation_url,
            limits=limits,
            follows_directory=follows_directory,
            publishes_to=publishes_to,
            storage=storage,
        )
        settings = load(DeploymentSettings, environment_for(self.bootstrap, self.namespace))
        async with running(spec, settings) as (url, _):
            if follows_directory:
                await ready(self.http, url)
            yield url

    async def site(
        self,
        *,
        url: str | None = None,
        origins: tuple[str, ...] = (ORIGIN,),
        identity_secret: str | None = None,
        connected: bool = True,
    ) -> Site:
        source_id, workspace_id, member_id = await connect_source(
            self.publisher, origins=origins, identity_secret=identity_secret, connected=connected
        )
        team = Team(self.http, self.conversation_url, workspace_id, member_id)
        site = Site(url or self.url, self.http, self.publisher, source_id, workspace_id, team)
        async with asyncio.timeout(READY_SECONDS):
            while True:
                status, _ = await site.messages("none", origin=origins[0])
                if status != 404 or not connected:
                    return site
                await asyncio.sleep(0.02)


async def ready(http: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            async with http.get(f"{url}/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
async def widget_namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    """One set of topics for all tests here: making them takes longer than most of the tests."""
    namespace = f"t{uuid.uuid4().hex[:8]}."
    names = await create_topics(kafka_bootstrap, namespace)
    yield namespace
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(names)
    finally:
        await admin.close()


@pytest.fixture(scope="session")
async def stack(
    kafka_bootstrap: str, widget_namespace: str, mongodb_url: str
) -> AsyncIterator[Stack]:
    environment = environment_for(kafka_bootstrap, widget_namespace)
    database = "test_" + uuid.uuid4().hex[:8]
    mongo = {"PARLEY_MONGODB_URL": mongodb_url, "PARLEY_MONGODB_DATABASE": database}
    own = load(DeploymentSettings, environment)
    anchors = {"PARLEY_CONVERSATION_ANCHOR_URL": "memory:///"}
    desk = load(ConversationSettings, environment | mongo | anchors)
    async with (
        aiohttp.ClientSession() as http,
        AsyncMongoClient[dict[str, object]](mongodb_url) as client,
        publishing(kafka_bootstrap, widget_namespace) as publisher,
        running(CONVERSATION, desk) as (desk_url, _),
        running(widget_service(desk_url, limits=GENEROUS), own) as (url, _),
    ):
        await ready(http, desk_url)
        await ready(http, url)
        yield Stack(kafka_bootstrap, widget_namespace, publisher, http, mongo, desk_url, url)
        await client.drop_database(database)


@pytest.fixture
async def site(stack: Stack) -> Site:
    return await stack.site()
