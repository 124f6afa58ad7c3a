"""Aggregates as they were, on the real server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventsourcing.application import AggregateNotFoundError
from pymongo import AsyncMongoClient

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.time_travel import repository_as_of
from libs.eventstore.commits import GENESIS, Commit, StoredEvent
from libs.eventstore.store import AsyncEventStore
from tests.support.aggregates.lamps import LAMPS, Dimmed, Hung, Lamp, LampEvent, LampState

pytestmark = pytest.mark.servers

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LAMP = "lamp_1"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def store(mongodb_url: str, mongodb_name: str) -> AsyncIterator[AsyncEventStore]:
    """With a lamp that was hung and dimmed in one commit at noon, and dimmed each minute after it:
    in the minute n the light is n percent."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url)
    async with client:
        store = AsyncEventStore(client[mongodb_name]["commits"])
        await store.ensure_indexes()
        version, prev = 0, GENESIS
        for minute in range(250):
            events: list[LampEvent] = [Dimmed(percent=minute)]
            if minute == 0:
                events = [Hung(workspace_id="wsp_1"), *events]
            commit = Commit(
                stream=LAMP,
                first=version + 1,
                causes=(f"minute-{minute}",),
                recorded_at=NOON + minute * MINUTE,
                events=tuple(StoredEvent(LAMPS.name_of(e), LAMPS.encode(e)) for e in events),
                prev=prev,
            )
            await store.append([commit])
            version, prev = commit.last, commit.hash
        yield store


async def no_snapshot(_stream: str, _instant: datetime) -> Snapshot[LampState] | None:
    return None


async def lamp_at(store: AsyncEventStore, instant: datetime, before: Any = no_snapshot) -> Lamp:
    repository = repository_as_of(LAMPS, store, before, instant)
    lamp: Lamp = await asyncio.to_thread(repository.get, LAMP, projector_func=Lamp.project)
    return lamp


@pytest.mark.parametrize("minute", [0, 7, 199, 201, 249])
async def test_an_aggregate_is_rebuilt_as_it_was(store: AsyncEventStore, minute: int) -> None:
    lamp = await lamp_at(store, NOON + minute * MINUTE + timedelta(seconds=30))

    assert lamp.state == LampState("wsp_1", minute, minute + 1)
    assert (lamp.version, lamp.now) == (minute + 2, NOON + minute * MINUTE)


async def test_it_was_not_there_before_its_first_event(store: AsyncEventStore) -> None:
    with pytest.raises(AggregateNotFoundError):
        await lamp_at(store, NOON - timedelta(milliseconds=1))


async def test_only_what_follows_on_the_nearest_state_is_applied(store: AsyncEventStore) -> None:
    asked = []

    async def before(stream: str, instant: datetime) -> Snapshot[LampState]:
        asked.append((stream, instant))
        # Dimmed more often than the events say: so it shows that it was begun with.
        return Snapshot(102, NOON + 100 * MINUTE, LampState("wsp_1", 100, 1000))

    lamp = await lamp_at(store, NOON + 110 * MINUTE, before)

    assert asked == [(LAMP, NOON + 110 * MINUTE)]
    assert lamp.state == LampState("wsp_1", 110, 1010)
    assert lamp.version == 112
