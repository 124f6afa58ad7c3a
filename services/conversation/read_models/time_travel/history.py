"""Conversations as they were: at an instant of the past, by when things were recorded.

The nearest kept state before the instant (``snapshots.py``), and the events after it up to then, by
the library's repository.
Who may see it is decided on the present state, by whoever asks here.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from eventsourcing.application import AggregateNotFoundError

from libs.aggregates.aggregate import DomainEvent, Snapshot, StateSnapshot
from libs.aggregates.repository import replay
from libs.aggregates.time_travel import repository_as_of
from libs.eventstore.commits import Commit
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.events import EVENTS
from services.conversation.domain.sent_message import SentMessageState
from services.conversation.privacy.sealed_store import SealedStore
from services.conversation.read_models.messages.parts import MessageRow
from services.conversation.read_models.messages.rows import (
    MESSAGE_PARTS,
    delivery_row,
    erased_before,
    parts_of,
)
from services.conversation.read_models.time_travel.snapshots import EVERY, HistoricalSnapshots
from services.conversation.read_models.timeline import Placed, Timeline
from services.conversation.read_models.views import row_id_of


class History:
    def __init__(
        self, store: SealedStore, historical_snapshots: HistoricalSnapshots, messages: Rows
    ) -> None:
        self._store = store
        self._historical_snapshots = historical_snapshots
        self._messages = messages

    async def at(self, stream: str, instant: datetime) -> Snapshot[ConversationState] | None:
        """The state after all that was recorded until then; None before the beginning."""
        repository = repository_as_of(
            EVENTS, self._store, self._historical_snapshots.before, instant
        )
        on_the_way: list[Snapshot[ConversationState]] = []
        projected = partial(_projected, on_the_way)
        try:
            past: Conversation = await asyncio.to_thread(
                repository.get, stream, projector_func=projected
            )
        except AggregateNotFoundError:
            return None
        for snapshot in on_the_way:
            await self._historical_snapshots.keep(stream, snapshot)
        return past.snapshot()

    async def began(self, stream: str) -> datetime | None:
        first = await self._store.read(stream, 0, 1)
        return first[0].recorded_at if first else None

    def timeline(
        self, past: Snapshot[ConversationState], instant: datetime, forgotten: int
    ) -> Timeline:
        """``forgotten``: up to which version the customer is, as of now."""
        return _PastTimeline(self._store, self._messages, past, instant, forgotten)


def _projected(
    on_the_way: list[Snapshot[ConversationState]],
    past: Conversation | None,
    events: Iterable[DomainEvent[ConversationState] | StateSnapshot[ConversationState]],
) -> Conversation | None:
    """As ``Conversation.project``; of about each ``EVERY`` events the state is put aside."""
    kept = 0
    for event in events:
        past = Conversation.project(past, [event])
        if isinstance(event, StateSnapshot):
            kept = event.originator_version
        elif past and event.head and past.version - kept >= EVERY:
            on_the_way.append(past.snapshot())
            kept = past.version
    return past


class _PastTimeline(Timeline):
    """Its messages say what they said then, and were delivered as far as they were then."""

    def __init__(
        self,
        store: SealedStore,
        messages: Rows,
        past: Snapshot[ConversationState],
        instant: datetime,
        forgotten: int,
    ) -> None:
        super().__init__(store, messages, past)
        self._instant = instant
        self._forgotten = forgotten

    async def _rows(self, placed: Sequence[Placed]) -> dict[str, MessageRow]:
        present = await super()._rows(placed)
        # The first that tells of a message is where it was written, or where it is told of here.
        positions: dict[str | None, int] = {}
        for position, event in placed:
            name = row_id_of(event)
            positions[name] = min(position, positions.get(name, position))
        past = {name: dict(row) for name, row in present.items()}
        changed = [
            name
            for name, row in past.items()
            if any(row[part]["v"] > self._version for part in MESSAGE_PARTS if part in row)
        ]
        for name in changed:
            for part in MESSAGE_PARTS:
                past[name].pop(part, None)
        if changed:
            for part_row in parts_of(await self._since(min(positions[one] for one in changed))):
                if part_row["_id"] in changed:
                    past[part_row["_id"]] |= erased_before(part_row, self._forgotten)
        moved = [
            name
            for name, row in past.items()
            if "delivery" in row and row["delivery"]["recorded_at"] > self._instant
        ]
        for name, row in (await self._delivered(moved)).items():
            past[name] |= row
        return dict(past)

    async def _since(self, position: int) -> list[Commit]:
        """The commits after the position, up to the past that is told of."""
        found: list[Commit] = []
        while page := await self._store.read(self._id, position, EVERY):
            found += [commit for commit in page if commit.last <= self._version]
            if page[-1].last >= self._version:
                break
            position = page[-1].last
        return found

    async def _delivered(self, messages: Sequence[str]) -> dict[str, Document]:
        """How far these were then; what has no state yet was queued."""
        loaded = await self._store.load(dict.fromkeys(messages, 0)) if messages else {}
        rows: dict[str, Document] = {}
        for name, commits in loaded.items():
            until = [commit for commit in commits if commit.recorded_at <= self._instant]
            snapshot: Snapshot[SentMessageState] | None = replay(EVENTS, None, until)
            rows[name] = delivery_row(name, snapshot) if snapshot else {"delivery": None}
        return rows
