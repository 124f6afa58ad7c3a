"""Stored events of other versions: older ones are read as today, newer ones are set aside."""

from datetime import UTC, datetime

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.aggregates.events import Payload
from libs.eventstore.commits import Commit, StoredEvent
from libs.eventstore.store import AsyncEventStore
from libs.runtime.mongo import Document
from services.conversation.domain.events import EVENTS
from services.conversation.privacy.sealed_store import COMMITS
from tests.support.conversation.world import World, serving
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def another_version_wrote(
    database: AsyncDatabase[Document], conversation_id: str, name: str, payload: bytes
) -> None:
    """One event more in the conversation's stream, by a replica that has gone on to project it."""
    store = AsyncEventStore(database[COMMITS])
    last = (await store.read(conversation_id, 0, 1, backwards=True))[0]
    commit = Commit(
        stream=conversation_id,
        first=last.last + 1,
        causes=(f"other version/{name}",),
        recorded_at=datetime.now(UTC),
        events=(StoredEvent(name, payload),),
        pending=False,
        prev=last.hash,
    )
    await store.append([commit])


async def test_what_an_older_version_wrote_is_read_as_today(
    world: World, database: AsyncDatabase[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_people_named(old: Payload) -> Payload:
        return {**old, "member_id": old["who"]}

    monkeypatch.setattr(EVENTS, "_upcasters", {})
    EVENTS.upcast("conversation.flagged.v0", "conversation.flagged.v1", with_people_named)
    conversation_id = world.conversation_id("1")
    async with serving(world):
        dima = await world.member("Dima")
        await world.receive(world.inbound("1", 1, "hello"))
        await world.seen(dima, conversation_id)
        written = f'{{"at": "2026-11-02T10:41:07Z", "case": 1, "who": "{dima}"}}'
        await another_version_wrote(
            database, conversation_id, "conversation.flagged.v0", written.encode()
        )
        taken = await world.call(dima, "POST", f"/v1/conversations/{conversation_id}/take")
        assert (taken.status, taken.body["version"]) == (200, 4)
        items = (await world.timeline(dima, conversation_id))["items"]
        assert [item["key"] for item in items if item["kind"] == "system"] == [
            "case-taken",
            "flagged",
            "case-opened",
        ]


async def test_what_a_newer_version_wrote_is_set_aside_and_holds_up_nobody_else(
    world: World, database: AsyncDatabase[Document]
) -> None:
    newer, other = world.conversation_id("newer"), world.conversation_id("other")
    async with serving(world):
        dima = await world.member("Dima")
        await world.receive(world.inbound("newer", 1), world.inbound("other", 1))
        await world.seen(dima, newer)
        await world.seen(dima, other)
        await another_version_wrote(database, newer, "conversation.case-dreamt.v1", b"{}")

        refused = await world.call(dima, "POST", f"/v1/conversations/{newer}/take")
        assert (refused.status, refused.body["type"]) == (503, "urn:parley:problem:unavailable")
        await world.receive(world.inbound("newer", 2))

        async def told() -> bool:
            ready = await world.call(dima, "GET", "/readyz")
            aside = ready.body.get("set_aside", {}).get("parley.inbound", {})
            return ready.status == 200 and "UnknownEvent" in aside.get(
                f"parley.inbound:{newer}", ""
            )

        await eventually(told)
        assert (await world.call(dima, "POST", f"/v1/conversations/{other}/take")).status == 200
