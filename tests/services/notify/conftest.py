"""Notify on the real servers, with a workspace of five members in its directory.

The topics are made once for all of these tests: making and deleting them takes longer than a test.
What is each test's own is its workspace and its database.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from msgspec.structs import replace as replace_fields
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.content import Channel
from libs.events.conversation import (
    Audience,
    CaseAssigned,
    CaseFacts,
    CaseForwarded,
    CaseReopened,
    CaseRouted,
    NoteAdded,
    TransferOffered,
)
from libs.events.directory import (
    DirectoryState,
    GroupState,
    LocationState,
    MemberState,
    Role,
    SourceState,
    WorkspaceState,
)
from libs.events.envelope import Envelope, read_envelope
from libs.events.ids import random_id
from libs.events.registry import Body
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.http import ServiceClient
from libs.runtime.kafka import Position, Publisher, outgoing
from libs.runtime.process import running
from libs.runtime.settings import load
from libs.runtime.topics import create_topics
from services.notify import polling
from services.notify.app import SERVICE
from services.notify.settings import NotifySettings
from tests.services.notify.smtp_server import SmtpServer, smtp_server
from tests.support.kafka import envelope, read_records
from tests.support.trust import SERVICE_KEYS, tokens_of

TOKENS = tokens_of("gateway")
TOPICS = (Topic.CONVERSATION, Topic.DIRECTORY, Topic.NOTIFICATION)
OPENED = datetime(2026, 3, 1, 12, tzinfo=UTC)

OLGA = MemberState(member_id="mem_olga", name="Olga", email="olga@team.example", role=Role.OWNER)
ANNA = MemberState(member_id="mem_anna", name="Anna", email="anna@team.example", role=Role.OPERATOR)
BORIS = MemberState(
    member_id="mem_boris", name="Boris", email="boris@team.example", role=Role.OPERATOR
)
ELSEWHERE = MemberState(
    member_id="mem_else",
    name="Else",
    email="else@team.example",
    role=Role.OPERATOR,
    location_ids=("loc_b",),
)
GONE = MemberState(
    member_id="mem_gone", name="Gone", email="gone@team.example", role=Role.OPERATOR, active=False
)
SALES = GroupState(
    group_id="grp_sales",
    name="Sales",
    member_ids=(ANNA.member_id, ELSEWHERE.member_id, GONE.member_id),
)
EVERYONE = GroupState(group_id="grp_all", name="Everyone")
SOURCE = SourceState(
    source_id="src_a",
    channel=Channel.TELEGRAM,
    name="Shop bot",
    location_id="loc_a",
    account="1",
)


def directory_states(workspace_id: str) -> dict[str, DirectoryState]:
    return {
        workspace_id: WorkspaceState(workspace_id=workspace_id, name="Shop"),
        "loc_a": LocationState(location_id="loc_a", name="Centre"),
        **{one.member_id: one for one in (OLGA, ANNA, BORIS, ELSEWHERE, GONE)},
        SALES.group_id: SALES,
        EVERYONE.group_id: EVERYONE,
        SOURCE.source_id: SOURCE,
    }


def routed(number: int = 1, group_id: str | None = SALES.group_id, **case: Any) -> Envelope:
    """A case that left routing for New, in a workspace that ``Notify.tell`` puts in."""
    event = CaseRouted(
        case=case_facts(number, group_id, **case),
        recorded_at=OPENED.replace(minute=number),
        audience_after=Audience(location_id="loc_a", group_id=group_id),
        reason="autoforward",
    )
    return case_event(number, 2, event)


def given_to(
    member: MemberState,
    by: MemberState,
    how: type[CaseAssigned | CaseReopened | TransferOffered] = CaseAssigned,
    due_at: datetime | None = None,
) -> Envelope:
    """The same case, assigned to a member, reopened for them, or offered to them."""
    offered = how is TransferOffered
    from_routing = routed(group_id=None)
    assert isinstance(from_routing.body, CaseRouted)
    facts = replace_fields(
        from_routing.body.case,
        state="active",
        responsible=by.member_id if offered else member.member_id,
        due_at=due_at,
    )
    common: dict[str, Any] = {
        "case": facts,
        "recorded_at": from_routing.body.recorded_at,
        "audience_after": Audience(location_id="loc_a", member_ids=(member.member_id,)),
        "member_id": by.member_id,
    }
    if offered:
        common["to"] = member.member_id
    body = how(**common)
    return replace(from_routing, id=f"cnv_1:{4 if offered else 3}", sequence=3, body=body)


def noted(author: MemberState, *mentioned: MemberState, number: int = 1) -> Envelope:
    """A note in a case of the group Sales."""
    event = NoteAdded(
        case=case_facts(number, SALES.group_id),
        recorded_at=OPENED.replace(minute=number),
        audience_after=Audience(location_id="loc_a", group_id=SALES.group_id),
        note_id="note_1",
        member_id=author.member_id,
        text="Look at this",
        mentions=tuple(member.member_id for member in mentioned),
    )
    return case_event(number, 3, event)


def case_facts(number: int, group_id: str | None, **case: Any) -> CaseFacts:
    facts = {
        "case_id": f"cas_{number}",
        "conversation_id": f"cnv_{number}",
        "source_id": SOURCE.source_id,
        "channel": Channel.TELEGRAM,
        "location_id": "loc_a",
        "customer_id": "cus_a",
        "state": "new",
        "opened_at": OPENED,
        "opened_by": "customer",
        "group_id": group_id,
        **case,
    }
    return CaseFacts(**facts)


def case_event(number: int, sequence: int, event: Body) -> Envelope:
    return Envelope(
        id=f"cnv_{number}:{sequence}",
        source="/conversation",
        subject=f"cnv_{number}",
        key=f"cnv_{number}",
        workspace_id="",
        sequence=sequence,
        time=OPENED,
        body=event,
    )


def forwarded(member_id: str, group_id: str) -> Envelope:
    """The same case, forwarded by a member to a group."""
    from_routing = routed(group_id=group_id)
    assert isinstance(from_routing.body, CaseRouted)
    event = CaseForwarded(
        case=from_routing.body.case,
        recorded_at=from_routing.body.recorded_at,
        audience_after=from_routing.body.audience_after,
        member_id=member_id,
    )
    return replace(from_routing, id="cnv_1:3", sequence=3, body=event)


async def eventually(
    read: Callable[[], Any], is_right: Callable[[Any], bool] = bool, seconds: float = 20
) -> Any:
    """What ``read`` gives, awaited, as soon as it is right. Errors: AssertionError."""
    last = None
    try:
        async with asyncio.timeout(seconds):
            while not is_right(last := await read()):  # noqa: ASYNC110  # it is another process's
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"still {last!r} after {seconds} s") from None
    return last


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


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as server:
        yield server


@pytest.fixture(scope="package")
async def shared_namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    namespace = random_id("notify") + "."
    made = await create_topics(kafka_bootstrap, namespace, topics=TOPICS)
    yield namespace
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_topics(made)
    await admin.close()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due again is looked for often: only how soon it is found depends on it."""
    monkeypatch.setattr(polling, "POLL_SECONDS", 0.1)


@pytest.fixture
async def notify(
    often: None,
    kafka_bootstrap: str,
    shared_namespace: str,
    mongodb_url: str,
    mongodb_name: str,
    smtp: SmtpServer,
) -> AsyncIterator[Notify]:
    environment = {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "PARLEY_KAFKA_NAMESPACE": shared_namespace,
        "PARLEY_DEPLOYMENT_KEY": bytes(range(32)).hex(),
        **SERVICE_KEYS,
        "PARLEY_MONGODB_URL": mongodb_url,
        "PARLEY_MONGODB_DATABASE": mongodb_name,
        "PARLEY_NOTIFY_CONSOLE_URL": "https://inbox.example/",
        "PARLEY_NOTIFY_SMTP_URL": smtp.url,
        "PARLEY_NOTIFY_EMAIL_FROM": "parley@inbox.example",
        "PARLEY_NOTIFY_RETRY_SECONDS": "0.1",
    }
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url, tz_aware=True)
    async with publishing(kafka_bootstrap, shared_namespace) as publisher, client:
        made = Notify(environment, publisher, client[mongodb_name])
        await made.states(directory_states(made.workspace_id))
        yield made
