"""Conversations as they were."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from libs.events.ids import random_id
from libs.eventstore.store import AsyncEventStore
from libs.runtime.mongo import Document
from services.conversation.privacy.keyring import Keyring
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.read_models.inbox.rows import INBOX, snapshot_of
from services.conversation.read_models.time_travel.snapshots import (
    EVERY,
    HISTORICAL_SNAPSHOTS,
    HistoricalSnapshots,
)
from services.conversation.settings import ConversationSettings
from tests.support.conversation.steps import a_case, customer_of, done
from tests.support.conversation.world import DEPLOYMENT_KEY, World, serving

pytestmark = pytest.mark.servers


def reached(version: int, view: Any) -> bool:
    return bool(view["version"] >= version)


async def instant() -> str:
    """A moment after all that was done before, and before all that is done after it."""
    await asyncio.sleep(0.005)
    now = datetime.now(UTC)
    await asyncio.sleep(0.005)
    return now.isoformat()


async def test_a_conversation_is_told_as_it_stood(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    before = await instant()
    await served.receive(served.inbound("1", 1, "hello"))
    conversation_id = served.conversation_id("1")
    path = f"/v1/conversations/{conversation_id}"
    await served.seen(dima, conversation_id)
    new = await instant()
    await served.call(dima, "POST", f"{path}/take")
    reply = await served.call(dima, "POST", f"{path}/messages", {"content": {"text": "hi"}})
    message_id = reply.body["item"]["id"]
    taken = await instant()
    await served.deliver(conversation_id, message_id, "sent")
    await served.receive(served.inbound("1", 1, "hello there", kind="edit"))
    await served.seen(dima, conversation_id, lambda view: view["version"] >= 5)
    await served.call(dima, "POST", f"{path}/close")

    async def of(as_of: str, *, timeline: bool = False) -> Any:
        there = f"{path}/timeline" if timeline else path
        answer = await served.call(olena, "GET", there, query={"as_of": as_of})
        assert answer.status == 200, answer
        return answer.body

    was_new, was_taken = await of(new), await of(taken)
    assert (was_new["case"]["state"], was_taken["case"]["state"]) == ("new", "active")
    assert (was_new.get("erased"), was_new["last_message"]["preview"]) == (None, "hello")
    assert was_taken["case"]["responsible"] == dima
    assert datetime.fromisoformat(was_taken["as_of"]) == datetime.fromisoformat(taken)
    assert (await of(await instant()))["case"]["state"] == "done"

    then = (await of(taken, timeline=True))["items"]
    assert [item.get("key") or item["content"]["text"] for item in then] == [
        "hi",
        "case-taken",
        "hello",
        "case-opened",
    ]
    assert then[0]["delivery"]["state"] == "queued"
    assert "edited_at" not in then[2]
    now = (await of(await instant(), timeline=True))["items"]
    assert [item["content"]["text"] for item in now if "content" in item] == ["hi", "hello there"]

    missing = await served.call(dima, "GET", path, query={"as_of": before})
    assert (missing.status, missing.body["type"]) == (404, "urn:parley:problem:not-begun")
    assert missing.body["detail"].startswith("This conversation began at ")
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for wrong in (future, "yesterday", "2026-11-02T10:41:07"):
        answer = await served.call(dima, "GET", path, query={"as_of": wrong})
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "as_of")


async def test_the_past_is_for_those_who_see_the_present(served: World) -> None:
    dima = await served.member("Dima")
    stranger = await served.member("Stranger", location_ids=(random_id("loc"),))
    await served.receive(served.inbound("1", 1))
    conversation_id = served.conversation_id("1")
    await served.seen(dima, conversation_id)
    asked = {"as_of": await instant()}
    for there in ("", "/timeline"):
        path = f"/v1/conversations/{conversation_id}{there}"
        assert (await served.call(stranger, "GET", path, query=asked)).status == 404


async def test_any_past_is_near_to_a_kept_state(
    world: World, settings: ConversationSettings, database: AsyncDatabase[Document]
) -> None:
    messages = 2 * EVERY + 50
    conversation_id = world.conversation_id("1")
    path = f"/v1/conversations/{conversation_id}"
    async with serving(world):
        dima = await world.member("Dima")
        await world.settled()
        for first in range(0, messages, 40):
            batch = range(first, min(first + 40, messages))
            await world.receive(*(world.inbound("1", number + 1) for number in batch))
            await world.seen(dima, conversation_id, partial(reached, batch[-1] + 2))
        commits = await AsyncEventStore(database[COMMITS]).read(conversation_id, 0, 10_000)
        kept = await database[HISTORICAL_SNAPSHOTS].find().to_list()
        # The sweeper may have come by as well, and kept a later one.
        assert {int(one["_id"].rpartition(":")[2]) // EVERY for one in kept} == {1, 2}
        assert b"Customer" not in b"".join(one["box"] for one in kept)

        async def versions() -> list[int]:
            told = []
            for commit in commits:
                asked = {"as_of": commit.recorded_at.isoformat()}
                view = (await world.call(dima, "GET", path, query=asked)).body
                last = commits[-1].last if view["version"] == commits[-1].last else None
                told.append(last or view["version"])
            return told

        # Those of one millisecond cannot be told apart: the last of them is what stood then.
        last_at = {commit.recorded_at: commit.last for commit in commits}
        expected = [last_at[commit.recorded_at] for commit in commits]
        assert await versions() == expected
        await database[HISTORICAL_SNAPSHOTS].drop()
        assert await versions() == expected
        assert await database[HISTORICAL_SNAPSHOTS].count_documents({}) > 0

        keyring = Keyring(database, DEPLOYMENT_KEY, 10)
        historical_snapshots = HistoricalSnapshots(database, keyring)
        assert await historical_snapshots.before(conversation_id, datetime.now(UTC)) is not None
        await database["conversation_keys"].update_many({}, {"$set": {"keys": {}}})
        keyring.forget(world.id_key.customer(world.source_id, "1"))
        assert await historical_snapshots.before(conversation_id, datetime.now(UTC)) is None


async def test_no_state_is_kept_that_shows_the_card_of_another_identity(
    world: World, database: AsyncDatabase[Document]
) -> None:
    dima = await world.member("Dima")
    first, second = customer_of(world, "1"), customer_of(world, "2")
    conversation_id = world.conversation_id("2")
    historical_snapshots = HistoricalSnapshots(database, Keyring(database, DEPLOYMENT_KEY, 10))

    async def kept() -> int:
        row = await database[INBOX].find_one({"_id": conversation_id})
        assert row
        await historical_snapshots.keep(conversation_id, snapshot_of(row))
        return await database[HISTORICAL_SNAPSHOTS].count_documents({})

    async def shows(customer_id: str) -> None:
        await world.seen(
            dima, conversation_id, lambda v: v["customer"]["customer_id"] == customer_id
        )

    async with serving(world):
        one, _ = await a_case(world, dima, "1"), await a_case(world, dima, "2")
        await done(await world.call(dima, "PATCH", one, {"name": "Ada"}))
        await done(await world.call(dima, "POST", f"{one}/merge", {"customer_id": second}))
        await shows(first)
        assert await kept() == 0
        await done(await world.call(dima, "POST", f"{one}/split", {"customer_id": second}))
        await shows(second)
        assert await kept() == 1
