"""What is saved of a directory: the documents of every version before, and those of a newer one."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from bson import json_util
from bson.json_util import JSONOptions

from libs.aggregates.aggregate import DomainEvent
from libs.eventstore.codec import from_document
from libs.eventstore.commits import Commit, StoredEvent
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_all
from libs.runtime.metrics import SET_ASIDE_STREAMS
from libs.runtime.mongo import mongo_client
from services.routing.commands.directory import COMMITS, DirectoryApplication
from services.routing.domain.directory import DirectoryAggregate
from services.routing.domain.events import EVENTS, DirectoryEvent
from services.routing.domain.workspace import Workspace
from services.routing.publishing.entry_states import public_messages
from tests.support.eventually import eventually
from tests.support.routing.service import Routing

# A workspace opened, a group made and renamed, another removed, a member hired and let go: written
# by the version before the event-sourcing library saved directories (64df41c).
OLD: Final = Path(__file__).parents[1] / "golden_commits.json"


def old_documents() -> list[dict[str, Any]]:
    options = JSONOptions(tz_aware=True)
    documents: list[dict[str, Any]] = json_util.loads(OLD.read_text(), json_options=options)
    return documents


def test_the_same_decisions_make_the_very_same_commits() -> None:
    """The hash is over the events' bytes, the messages with their headers, causes and times."""
    directory: DirectoryAggregate | None = None
    for commit in map(from_document, old_documents()):
        events = [EVENTS.decode(event.type, event.data) for event in commit.events]
        directory = directory or DirectoryAggregate(commit.stream, None, commit.recorded_at)
        directory.now = commit.public[0].time

        directory.decide(partial(_as_decided, events))

        made = Commit(
            stream=directory.id,
            first=directory.changes[0].version,
            causes=commit.causes,
            recorded_at=directory.now,
            events=tuple(
                StoredEvent(EVENTS.name_of(one.event), EVENTS.encode(one.event))
                for one in directory.changes
            ),
            public=public_messages(directory),
            prev=commit.prev,
        )
        assert made.public == commit.public
        assert made.hash == commit.hash
        directory.collect_events()


@pytest.mark.servers
async def test_documents_of_the_version_before_are_read_changed_and_still_verify(
    routing: Routing, mongodb_url: str, mongodb_name: str
) -> None:
    documents = old_documents()
    workspace_id = documents[0]["stream"]
    async with mongo_client(mongodb_url, "tests") as mongo:
        commits = mongo[mongodb_name][COMMITS]
        await commits.insert_many(documents)
        store = AsyncEventStore(commits)

        async with routing.running() as client:
            client.workspace_id = workspace_id
            loaded = await asyncio.to_thread(_load, mongodb_url, mongodb_name, workspace_id)
            [owner_id] = [
                one.member_id for one in loaded.entries.members.values() if one.role == "owner"
            ]
            client.member_id = owner_id
            [group] = loaded.entries.groups.values()
            assert group.name == "Support"
            path = f"/v1/groups/{group.group_id}"
            answer = await client.call("PATCH", path, {"name": "Sales again"})

        assert answer.status == 200
        after = (await store.load({workspace_id: 0}))[workspace_id]
        assert [from_document(one).hash for one in documents] == [
            one.hash for one in after[: len(documents)]
        ]
        last = after[-1]
        assert last.first == documents[-1]["last"] + 1
        assert last.prev == documents[-1]["hash"]
        assert [(m.key, m.sequence) for m in last.public] == [(group.group_id, 3)]
        assert not last.pending
        assert (await verify_all(store)).findings == []


@pytest.mark.servers
async def test_what_a_newer_version_saved_sets_its_workspace_aside_and_no_other(
    routing: Routing, mongodb_url: str, mongodb_name: str
) -> None:
    async with routing.running() as newer:
        await newer.open_workspace()
    async with mongo_client(mongodb_url, "tests") as mongo:
        store = AsyncEventStore(mongo[mongodb_name][COMMITS])
        last = (await store.load({newer.workspace_id: 0}))[newer.workspace_id][-1]
        rule = Commit(
            stream=newer.workspace_id,
            first=last.last + 1,
            causes=("of a newer version",),
            recorded_at=last.recorded_at,
            events=(StoredEvent("routing.schedule-set.v1", b'{"schedule_id": "sch_1"}'),),
            prev=last.hash,
        )
        await store.append([rule])
        await store.mark_published([rule])

        async with routing.running() as client:
            refused = await client.call(
                "POST",
                "/v1/groups",
                {"name": "Sales"},
                workspace_id=newer.workspace_id,
                member_id=newer.member_id,
            )
            assert (refused.status, refused.body["type"]) == (503, "urn:parley:problem:set-aside")
            await client.open_workspace()
            await client.done("POST", "/v1/groups", {"name": "Sales"})

            async def told() -> Any:
                ready = await client.call("GET", "/readyz")
                assert ready.status == 200, ready.text
                return ready.body.get("set_aside", {}).get("streams", {})

            streams = await eventually(told)
            assert streams == {newer.workspace_id: "UnknownEvent"}
            gauge = SET_ASIDE_STREAMS.labels(COMMITS)
            assert gauge._value.get() == 1

        assert (await store.load({newer.workspace_id: 0}))[newer.workspace_id][-1].hash == rule.hash


@pytest.mark.servers
async def test_a_directory_that_was_changed_often_is_loaded_from_its_snapshot(
    routing: Routing, mongodb_url: str, mongodb_name: str
) -> None:
    async with routing.running() as client:
        await client.open_workspace()
        for number in range(60):
            await client.done("POST", "/v1/groups", {"name": f"Group {number}"})
        await client.done("PATCH", "/v1/me", {"language": "en"})
    application = DirectoryApplication(mongodb_url, mongodb_name)

    loaded = await asyncio.to_thread(application.load, client.workspace_id)
    events = await asyncio.to_thread(lambda: list(application.events.get(client.workspace_id)))
    whole = DirectoryAggregate.project(None, [e for e in events if isinstance(e, DomainEvent)])
    application.close()

    assert loaded.replayed <= 50
    assert whole is not None
    assert whole.version == loaded.aggregate.version == 9 + 60 + 1
    assert loaded.aggregate.entries == whole.entries
    assert loaded.aggregate.head == whole.head


@pytest.mark.servers
async def test_twenty_changes_at_once_are_all_answered_and_all_there(routing: Routing) -> None:
    async with routing.running() as client:
        await client.open_workspace()
        answers = await asyncio.gather(
            *(client.call("POST", "/v1/groups", {"name": f"Group {n}"}) for n in range(20))
        )

        assert [answer.status for answer in answers] == [201] * 20
        records = await routing.records(9 + 20)

    offsets = {record.key.decode(): record.offset for record in records}
    for answer in answers:
        assert offsets[answer.body["group_id"]] <= answer.offset


def _load(url: str, database: str, workspace_id: str) -> DirectoryAggregate:
    application = DirectoryApplication(url, database)
    try:
        return application.load(workspace_id).aggregate
    finally:
        application.close()


def _as_decided(happened: list[DirectoryEvent], _there: Workspace) -> list[DirectoryEvent]:
    return happened
