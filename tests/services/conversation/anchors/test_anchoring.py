"""Anchors are written while the service works, and show what a chain alone does not."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from libs.eventstore.chain import Head
from libs.eventstore.codec import commit_id, from_document, to_document
from libs.eventstore.commits import GENESIS, StoredEvent
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import verify_all
from libs.runtime.mongo import Document
from services.conversation.anchors.anchor import AnchorKey
from services.conversation.anchors.reading import Anchored, read_anchors
from services.conversation.anchors.storage import AnchorStorage, open_anchors
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.settings import ConversationSettings
from tests.support.conversation.world import DEPLOYMENT_KEY, World, serving, settings_of, world_of
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

KEY = AnchorKey(DEPLOYMENT_KEY)


@pytest.fixture
def settings(
    kafka_bootstrap: str,
    own_namespace: str,
    mongodb_url: str,
    mongodb_name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> ConversationSettings:
    return settings_of(
        kafka_bootstrap,
        own_namespace,
        mongodb_url,
        mongodb_name,
        PARLEY_CONVERSATION_ANCHOR_URL=tmp_path_factory.mktemp("anchors").as_uri(),
        PARLEY_CONVERSATION_ANCHOR_INTERVAL_SECONDS="0.3",
    )


@pytest.fixture
def storage(settings: ConversationSettings) -> AnchorStorage:
    return open_anchors(settings)


async def anchored_at(storage: AnchorStorage, versions: Mapping[str, int]) -> dict[str, Head]:
    """The heads of these streams, once the anchors know these versions of them."""
    anchored = Anchored()

    async def known() -> bool:
        nonlocal anchored
        anchored = await read_anchors(storage, {KEY.public})
        there = {s: head.version for s, head in anchored.heads.items() if s in versions}
        return there == versions

    await eventually(known)
    assert anchored.findings == []
    # Tests share their topics: others' streams are anchored too.
    return {stream: anchored.heads[stream] for stream in versions}


def at_version(version: int) -> Callable[[Any], bool]:
    return lambda view: view["version"] == version


async def two_conversations(world: World) -> dict[str, int]:
    """Their versions; each has a commit that opens it and two more."""
    member_id = await world.member("Dima")
    conversation_ids = [world.conversation_id(thread) for thread in ("1", "2")]
    for number in (1, 2, 3):
        await world.receive(world.inbound("1", number), world.inbound("2", number))
        for conversation_id in conversation_ids:
            await world.seen(member_id, conversation_id, at_version(number + 1))
    return dict.fromkeys(conversation_ids, 4)


async def told(store: AsyncEventStore, heads: Mapping[str, Head]) -> list[tuple[str, str, int]]:
    verified = await verify_all(store, heads)
    return [(finding.stream, finding.kind, finding.last) for finding in verified.findings]


async def test_what_was_cut_off_or_made_anew_is_shown_by_the_anchors(
    world: World, storage: AnchorStorage, database: AsyncDatabase[Document]
) -> None:
    commits, store = database[COMMITS], AsyncEventStore(database[COMMITS])
    async with serving(world):
        versions = await two_conversations(world)
        heads = await anchored_at(storage, versions)
        # and what comes later is anchored after it
        await world.receive(world.inbound("2", 4))
        one, other = versions
        heads |= await anchored_at(storage, {other: 5})
    assert await told(store, heads) == []

    # when the end of one is cut off, and the other is told as somebody would like it
    await commits.delete_one({"_id": commit_id(one, 4)})
    before = GENESIS
    async for document in commits.find({"stream": other}).sort("first"):
        commit = from_document(document)
        events = tuple(StoredEvent(event.type, b"{}") for event in commit.events)
        forged = replace(commit, events=events, prev=before, hash=b"")
        before = forged.hash
        await commits.replace_one({"_id": document["_id"]}, to_document(forged))

    assert await told(store, {}) == [], "their chains do not show it"
    assert sorted(await told(store, heads)) == sorted(
        [(one, "cut off", 4), (other, "made anew", 5)]
    )


async def test_heads_that_a_stopped_process_had_not_anchored_are_anchored_by_the_next(
    settings: ConversationSettings, storage: AnchorStorage
) -> None:
    patient = settings.model_copy(update={"conversation_anchor_interval_seconds": 3600.0})
    async with world_of(patient) as world:
        async with serving(world):
            versions = await two_conversations(world)
        assert not set((await read_anchors(storage, {KEY.public})).heads) & set(versions)
        world.settings = settings
        async with serving(world):
            await anchored_at(storage, versions)


async def test_an_anchor_follows_on_what_another_replica_wrote(
    world: World, storage: AnchorStorage
) -> None:
    async with serving(world):
        versions = await two_conversations(world)
        await anchored_at(storage, versions)
        last = await storage.last(world.workspace_id)
        elsewhere = {"cnv_elsewhere": Head(1, b"x" * 32)}
        beside = KEY.anchor(world.workspace_id, last, elsewhere, datetime.now(UTC))
        assert await storage.add(beside)
        await world.receive(world.inbound("1", 4))
        one, _ = versions
        await anchored_at(storage, {one: 5, "cnv_elsewhere": 1})

    assert await storage.numbers(world.workspace_id) == [*range(1, last.number + 3)]
