"""Looking after the sources of a channel whose platform has to be asked.

    {_id: source id, position, due_at, attempt}

Each source is looked at by one replica at a time: who moves ``due_at`` on has it until then. The
position moves only once Kafka has what was found, so what a crash leaves in between is found again,
under the same causes. A source whose platform fails is asked less and less often, and keeps no
other waiting.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from libs.events.content import Channel
from libs.runtime.away import SERVER_AWAY
from libs.runtime.backoff import pause
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.problems import Unavailable
from libs.runtime.stopping import stopped_within
from services.ingest.accept import Acceptor
from services.ingest.metrics import POLLED
from services.ingest.ports.platform import PASSING, PlatformRefused
from services.ingest.ports.polling import Poll
from services.ingest.sources import OpenSource, SourceBook

log = structlog.get_logger()

TICK_SECONDS: Final = 0.5
LEASE: Final = timedelta(minutes=2)
_LOOK_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = timedelta(seconds=5)


class Poller:
    """One channel's. ``saw``: something of a source came, at this instant. ``run`` goes to the
    runtime's tasks."""

    def __init__(
        self,
        channel: Channel,
        poll: Poll[Any],
        sources: SourceBook,
        acceptor: Acceptor,
        collection: AsyncCollection[Document],
        saw: Callable[[str, datetime], None],
    ) -> None:
        self._channel = channel
        self._poll = poll
        self._sources = sources
        self._acceptor = acceptor
        self._collection = collection
        self._saw = saw
        self._looking: dict[str, asyncio.Task[None]] = {}
        # When a source is worth asking for, as far as this replica knows.
        self._due: dict[str, datetime] = {}

    async def run(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                if self._sources.is_complete:
                    self._begin()
                await stopped_within(stop, TICK_SECONDS)
        finally:
            for task in list(self._looking.values()):
                task.cancel()
            await asyncio.gather(*list(self._looking.values()), return_exceptions=True)

    def _begin(self) -> None:
        now = datetime.now(UTC)
        for source in self._sources.connected(self._channel):
            if source.id in self._looking or self._due.get(source.id, now) > now:
                continue
            task = asyncio.create_task(self._apart(source))
            self._looking[source.id] = task
            task.add_done_callback(partial(self._looked, source.id))

    def _looked(self, source_id: str, _: "asyncio.Task[None]") -> None:
        del self._looking[source_id]

    async def _apart(self, source: OpenSource[Any]) -> None:
        try:
            with left_out("poll", source.id, SERVER_AWAY):
                await self.look(source)
        except SERVER_AWAY as error:
            log.warning("a source is not polled now", source=source.id, error=repr(error))
            self._due[source.id] = datetime.now(UTC) + _FIRST_PAUSE

    async def look(self, source: OpenSource[Any]) -> None:
        """Once, if it is due and no other replica's. Errors: the driver's."""
        # Until it is known better: also of one that fails in a way that nobody expected.
        self._due[source.id] = datetime.now(UTC) + self._poll.pause
        claimed = await self._claimed(source.id)
        if claimed is None:
            return
        change: Document = {"attempt": 0}
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                change["position"] = await self._take(source, claimed.get("position"))
            wait, outcome = self._poll.pause, "done"
        except (PlatformRefused, *PASSING, Unavailable, TimeoutError) as failure:
            wait, outcome = pause(_FIRST_PAUSE, claimed["attempt"]), "failed"
            change = {}
            log.warning("a platform was not read", source=source.id, reason=repr(failure))
        POLLED.labels(self._channel.value, outcome).inc()
        self._due[source.id] = change["due_at"] = datetime.now(UTC) + wait
        # Not where it took so long that another replica has looked since.
        ours = {"_id": source.id, "due_at": claimed["due_at"]}
        await self._collection.update_one(ours, {"$set": change})

    async def _take(self, source: OpenSource[Any], position: str | None) -> str:
        """The next position. Errors: those of ``Poll.look``, Unavailable."""
        received_at = datetime.now(UTC)
        polled = await self._poll.look(source, position, received_at)
        for raw, reason in polled.unreadable:
            await self._acceptor.bury(self._channel, source.workspace_id, source.id, raw, reason)
        if polled.events:
            await self._acceptor.accept(source.workspace_id, polled.events)
            self._saw(source.id, received_at)
        return polled.position

    async def _claimed(self, source_id: str) -> Document | None:
        """None: another replica's, or not due yet."""
        now = datetime.now(UTC)
        due: Document = {"$or": [{"due_at": None}, {"due_at": {"$lte": now}}]}
        claim = {"$set": {"due_at": now + LEASE}, "$inc": {"attempt": 1}}
        try:
            found: Document | None = await self._collection.find_one_and_update(
                {"_id": source_id, **due}, claim, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            return None
        return found
