"""Notify as it runs, and a member who asks it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.directory import (
    DirectoryState,
    MemberState,
)
from libs.events.envelope import Envelope, read_envelope
from libs.events.ids import random_id
from libs.events.topics import Topic
from libs.runtime.http import ServiceClient
from libs.runtime.kafka import Position, Publisher, outgoing
from libs.runtime.process import running
from libs.runtime.settings import load
from services.notify.app import SERVICE
from services.notify.settings import NotifySettings
from tests.support.eventually import eventually
from tests.support.kafka import envelope, read_records
from tests.support.notify.events import ANNA
from tests.support.trust import tokens_of

TOKENS = tokens_of("gateway")


TOPICS = (Topic.CONVERSATION, Topic.DIRECTORY, Topic.NOTIFICATION)


class Client:
    """The HTTP of a running notify, as a member."""

    def __init__(self, client: ServiceClient, workspace_id: str) -> None:
        self._client = client
        self._workspace_id = workspace_id

    async def ask(
        self,
        method: str,
        path: str,
        member: MemberState = ANNA,
        *,
        actions: tuple[str, ...] = ("read",),
        body: object = None,
        query: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        status, answer, _headers = await self._client.call(
            method,
            path,
            workspace_id=self._workspace_id,
            member_id=member.member_id,
            actions=actions,
            query=query,
            body=None if body is None else json.dumps(body).encode(),
        )
        return status, json.loads(answer)

    async def notifications(self, member: MemberState = ANNA) -> list[dict[str, Any]]:
        status, page = await self.ask("GET", "/v1/notifications", member)
        assert status == 200, page
        items: list[dict[str, Any]] = page["items"]
        return items


class Notify:
    """What a test needs around the service."""

    def __init__(
        self,
        environment: dict[str, str],
        publisher: Publisher,
        database: AsyncDatabase[dict[str, Any]],
    ) -> None:
        self.environment = environment
        self.bootstrap = environment["PARLEY_KAFKA_BOOTSTRAP_SERVERS"]
        self.namespace = environment["PARLEY_KAFKA_NAMESPACE"]
        self._publisher = publisher
        self.database = database
        self.workspace_id = random_id("wsp")

    @asynccontextmanager
    async def running(self, **changes: str) -> AsyncIterator[Client]:
        settings = load(NotifySettings, self.environment | changes)
        async with (
            running(SERVICE, settings) as (url, _failure),
            ServiceClient("notify", url, TOKENS) as client,
        ):
            yield Client(client, self.workspace_id)

    async def tell(self, *events: Envelope) -> list[Position]:
        return await self.tell_as(self.workspace_id, *events)

    async def tell_as(self, workspace_id: str, *events: Envelope) -> list[Position]:
        own = [replace(event, workspace_id=workspace_id) for event in events]
        return await self._publisher.publish([outgoing(event) for event in own])

    async def consumed(self, positions: Sequence[Position]) -> None:
        """Until the service has committed what stands at these positions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:

            async def committed() -> dict[int, int]:
                try:
                    offsets = await admin.list_consumer_group_offsets(self.namespace + "notify")
                except GroupCoordinatorNotAvailableError:  # the group is only just being made
                    return {}
                return {place.partition: one.offset for place, one in offsets.items()}

            await eventually(
                committed,
                lambda done: all(done.get(one.partition, 0) > one.offset for one in positions),
            )
        finally:
            await admin.close()

    async def states(self, states: dict[str, DirectoryState]) -> None:
        await self.states_of(self.workspace_id, states)

    async def states_of(self, workspace_id: str, states: dict[str, DirectoryState]) -> None:
        await self._publisher.publish(
            [outgoing(envelope(state, key, workspace_id)) for key, state in states.items()]
        )

    async def raised(self, count: int) -> list[Envelope]:
        """What the topic of notifications has had of this workspace."""

        def own(records: list[Any]) -> list[Envelope]:
            read = [read_envelope(one.key, one.headers, one.value) for one in records]
            return [one for one in read if one.workspace_id == self.workspace_id]

        topic = self.namespace + "parley.notification"
        return own(
            await read_records(self.bootstrap, topic, lambda found: len(own(found)) >= count)
        )

    async def deliveries(self) -> list[dict[str, Any]]:
        own = {"workspace": self.workspace_id}
        return await self.database["notify_deliveries"].find(own).to_list()

    async def delivery_states(self) -> list[str]:
        return sorted(one["state"] for one in await self.deliveries())
