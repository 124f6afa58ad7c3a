"""Routing as it runs, and the gateway's way of asking it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from libs.events.actions import Action
from libs.events.topics import Topic
from libs.runtime.process import ServiceSpec, running
from libs.runtime.settings import load
from libs.runtime.tokens import ServiceTokens
from libs.runtime.topics import create_topics
from services.routing.app import SERVICE
from services.routing.settings import RoutingSettings
from tests.support.kafka import read_records
from tests.support.trust import SERVICE_KEYS, tokens_of

DEPLOYMENT_KEY = bytes(range(32))


TOPICS = (Topic.DIRECTORY, Topic.CONVERSATION, Topic.COMMANDS)


BOT_TOKEN = "4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcq"


NEW_WORKSPACE = {
    "name": "Coffee & Co",
    "language": "uk",
    "location_name": "Khreshchatyk",
    "time_zone": "Europe/Kyiv",
    "owner_name": "Olena",
    "owner_email": "olena@coffee.example",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def offset(self) -> int:
        return int(self.headers["parley-directory-offset"])

    @property
    def fields(self) -> list[str]:
        return [one["field"] for one in self.body["errors"]]


class Client:
    """Calls as the gateway does, for one workspace."""

    def __init__(self, session: aiohttp.ClientSession, tokens: ServiceTokens) -> None:
        self.session = session
        self.tokens = tokens
        self.workspace_id = ""
        self.member_id = ""

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        workspace_id: str | None = None,
        member_id: str | None = None,
        actions: tuple[str, ...] = (Action.MANAGE_DIRECTORY,),
        tokens: ServiceTokens | None = None,
    ) -> Answer:
        token = (tokens or self.tokens).issue(
            "routing",
            self.workspace_id if workspace_id is None else workspace_id,
            self.member_id if member_id is None else member_id,
            actions,
        )
        headers = {"authorization": f"Bearer {token}"}
        if key is not None:
            headers["idempotency-key"] = key
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        async with self.session.request(method, path, data=raw, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def done(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        answer = await self.call(method, path, body, **more)
        assert answer.status < 300, answer.text
        return answer.body if answer.text else None

    async def open_workspace(self, **changes: str) -> Any:
        opened = await self.done("POST", "/v1/workspaces", NEW_WORKSPACE | changes)
        self.workspace_id = opened["workspace"]["workspace_id"]
        self.member_id = opened["owner"]["member_id"]
        return opened


class Routing:
    """Routing's environment on the servers of the test."""

    def __init__(self, bootstrap: str, namespace: str, environment: dict[str, str]) -> None:
        self.bootstrap = bootstrap
        self.namespace = namespace
        self.environment = environment

    @property
    def settings(self) -> RoutingSettings:
        return load(RoutingSettings, self.environment)

    @asynccontextmanager
    async def running(
        self, service: ServiceSpec[RoutingSettings] = SERVICE, **changes: str
    ) -> AsyncIterator[Client]:
        async with (
            running(service, load(RoutingSettings, self.environment | changes)) as (url, _failure),
            aiohttp.ClientSession(url) as session,
        ):
            yield Client(session, tokens_of("gateway"))

    async def records(self, count: int) -> list[Any]:
        """At least ``count`` records of the directory's topic."""
        topic = self.namespace + "parley.directory"
        return await read_records(self.bootstrap, topic, lambda found: len(found) >= count)


async def routing_on(bootstrap: str, namespace: str, mongodb_url: str, database: str) -> Routing:
    """Routing's environment on these servers, with the topics that it needs."""
    await create_topics(bootstrap, namespace, topics=TOPICS)
    return Routing(
        bootstrap,
        namespace,
        {
            "PARLEY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "PARLEY_KAFKA_NAMESPACE": namespace,
            "PARLEY_MONGODB_URL": mongodb_url,
            "PARLEY_MONGODB_DATABASE": database,
            "PARLEY_DEPLOYMENT_KEY": DEPLOYMENT_KEY.hex(),
            **SERVICE_KEYS,
            "PARLEY_ROUTING_SWEEP_SECONDS": "0.2",
        },
    )


def headers_of(record: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}
