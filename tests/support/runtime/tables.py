"""A table of one topic, and what is put on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.events.directory import GroupState
from libs.events.envelope import Envelope
from libs.events.topics import Topic
from libs.runtime.kafka import Publisher
from libs.runtime.table import CompactedTable
from tests.support.kafka import publish_state


class Groups:
    """The table under test, kept as a dictionary of names."""

    def __init__(self, bootstrap: str, namespace: str) -> None:
        self.names: dict[str, str] = {}
        self.applied: list[tuple[str, str | None]] = []
        self.table = CompactedTable(
            Topic.DIRECTORY, self._apply, bootstrap_servers=bootstrap, namespace=namespace
        )

    def _apply(self, key: str, changed: Envelope | None) -> None:
        state = changed.body if changed else None
        name = state.name if isinstance(state, GroupState) else None
        self.applied.append((key, name))
        if name is None:
            self.names.pop(key, None)
        else:
            self.names[key] = name

    @asynccontextmanager
    async def following(self) -> AsyncIterator[CompactedTable]:
        stop = asyncio.Event()
        task = asyncio.create_task(self.table.run(stop))
        try:
            yield self.table
        finally:
            stop.set()
            await task


async def put(publisher: Publisher, key: str, name: str, sequence: int = 0) -> int:
    return await publish_state(publisher, GroupState(group_id=key, name=name), key, "w", sequence)
