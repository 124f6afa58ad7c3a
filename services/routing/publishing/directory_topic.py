"""``parley.directory`` as its owner sees it: publishing, offsets, and putting right what is stale.

The topic is compacted: of each key the *last* message stays, which is the newest state only as long
as nobody publishes an old one again. A process that stalled between storing and publishing can do
that after another took over. So routing follows its own topic, and where an old state came last, or
one is missing, it publishes the newest again, out of the read model of directory entries.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import structlog

from libs.eventstore.commits import PublicMessage
from libs.runtime.away import SERVER_AWAY
from libs.runtime.directory import Directory
from libs.runtime.kafka import Publisher
from libs.runtime.outbox import publish_messages
from libs.runtime.stopping import stopped_within
from services.routing.metrics import REPAIRED
from services.routing.read_models.directory_entries import DirectoryEntries

log = structlog.get_logger()

REPAIR_INTERVAL: Final = timedelta(seconds=1)
WAIT_SECONDS: Final = 5.0


class DirectoryTopic:
    """Publishes the directory's messages, and knows how far the topic is."""

    def __init__(
        self, publisher: Publisher, directory: Directory, entries: DirectoryEntries
    ) -> None:
        self._publisher = publisher
        self._table = directory.table
        self._entries = entries
        self.last_offset = -1

    async def publish(self, messages: Sequence[PublicMessage]) -> None:
        """For the outbox. Errors: PublishFailed."""
        offset = await publish_messages(self._publisher, messages)
        # The topic has one partition, so the greatest offset covers all that came before.
        self.last_offset = max(self.last_offset, offset)

    def offset_of_the_present(self) -> int:
        """An offset at which everything is seen that this replica has seen or published."""
        return max(self.last_offset, self._table.position - 1)

    async def offset_after(self, sequences: Mapping[str, int]) -> int:
        """An offset at which the states of these keys are seen, whoever published them.

        Errors: Unavailable when they are not read within some seconds.
        """
        await self._table.wait_until(
            lambda: all(self._table.sequence_of(key) >= n for key, n in sequences.items()),
            WAIT_SECONDS,
        )
        return self._table.position - 1

    async def keep_right(self, stop: asyncio.Event) -> None:
        """Once for everything when the topic is read, then for what turns out to be stale."""
        everything = True
        while not stop.is_set():
            if self._table.is_caught_up:
                try:
                    everything = await self._repair(everything)
                except SERVER_AWAY as error:
                    log.warning("directory not put right yet", error=type(error).__name__)
            await stopped_within(stop, REPAIR_INTERVAL.total_seconds())

    async def _repair(self, everything: bool) -> bool:
        if everything:
            newest = {key: n async for key, n in self._entries.sequences()}
            keys = [key for key, n in newest.items() if self._table.sequence_of(key) < n]
        else:
            keys = sorted(self._table.stale)
        # A tombstone that compaction has dropped by now is not missing. And what is newer than
        # anything the topic has shown is just being published, by its own commit and in its turn.
        messages = [
            message
            for message in await self._entries.messages(keys)
            if (message.data or self._table.sequence_of(message.key))
            and (everything or message.sequence <= self._table.sequence_of(message.key))
        ]
        if messages:
            await self.publish(messages)
            REPAIRED.inc(len(messages))
            log.warning("states published again", count=len(messages))
        return False
