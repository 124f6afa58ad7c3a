"""Incoming files, from the platform into object storage.

A file that does not come must not hold up those of other conversations: everything here has a
bound, and what was not reached is noted, and fetched when somebody wants to see it.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog

from libs.events.channels import capabilities_of
from libs.events.content import Attachment, Channel
from libs.events.inbound import InboundReceived
from libs.runtime.consumer import Received, Refused, Transient
from libs.runtime.problems import NotFound, Unavailable
from libs.runtime.streams import Record
from services.ingest.attachments.store import ERASED, AttachmentStore, Note
from services.ingest.metrics import ATTACHMENTS
from services.ingest.ports.files import FileSource
from services.ingest.ports.platform import (
    FileTooLarge,
    NoAnswer,
    NotReached,
    PlatformRefused,
    RateLimited,
)
from services.ingest.sources import SourceBook

log = structlog.get_logger()

SIDE_BY_SIDE: Final = 4
FILE_SECONDS: Final = 20.0
BATCH_SECONDS: Final = 60.0
UNREACHABLE: Final = "unreachable"
_TRIES: Final = 3
_PAUSE_SECONDS: Final = 0.5
# In a JSON text these bytes are a field's name: within a value its quotes would be escaped.
_ATTACHMENTS: Final = b'"attachments":'


def may_have_attachments(record: Record) -> bool:
    """Without decoding it; most messages are text alone."""
    return _ATTACHMENTS in (record.value or b"")


class Fetcher:
    """``stop``: the process ends; what was not fetched by then is asked for again."""

    def __init__(
        self,
        store: AttachmentStore,
        sources: SourceBook,
        platforms: Mapping[Channel, FileSource[Any]],
        stop: asyncio.Event,
    ) -> None:
        self._stop = stop
        self._store = store
        self._sources = sources
        self._platforms = platforms
        self._turns = asyncio.Semaphore(SIDE_BY_SIDE)

    async def handle(self, batch: Sequence[Received]) -> Sequence[Refused]:
        """The consumer's handler. Errors: Transient, StorageAway."""
        wanted: dict[tuple[str, str], tuple[str, Attachment]] = {}
        for one in batch:
            body = one.envelope.body
            if isinstance(body, InboundReceived) and body.channel in self._platforms:
                for attachment in body.content.attachments:
                    key = (one.envelope.workspace_id, attachment.attachment_id)
                    wanted[key] = (body.source_id, attachment)
        if wanted:
            await self._unless_stopped(self._all(wanted))
        return ()

    async def _all(self, wanted: Mapping[tuple[str, str], tuple[str, Attachment]]) -> None:
        until = asyncio.get_running_loop().time() + BATCH_SECONDS
        await asyncio.gather(
            *(
                self._once(workspace_id, source_id, attachment, until)
                for (workspace_id, _), (source_id, attachment) in wanted.items()
            )
        )

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stop.wait())
        ends: list[asyncio.Task[Any]] = [working, stopping]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Transient("the process stops")
            working.result()
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def again(self, workspace_id: str, note: Note) -> Note:
        """Another try for what was not reached, for somebody who waits. Errors: StorageAway."""
        try:
            fetched = await self._fetch(workspace_id, note.source_id or "", note.attachment)
        except Transient:
            return note
        # What was erased while it was fetched stays so.
        now = await self._store.describe(workspace_id, note.attachment.attachment_id)
        if now is not None and now.missing == ERASED:
            await self._store.delete(workspace_id, note.attachment.attachment_id)
            return now
        await self._store.note(workspace_id, fetched)
        return fetched

    async def _once(
        self, workspace_id: str, source_id: str, attachment: Attachment, until: float
    ) -> None:
        """``until``: on the loop's clock, when the batch must be over."""
        async with self._turns:
            if await self._store.describe(workspace_id, attachment.attachment_id) is not None:
                return
            if asyncio.get_running_loop().time() > until:
                note = Note(attachment, UNREACHABLE, source_id)
            else:
                note = await self._fetch(workspace_id, source_id, attachment)
            note = await self._store.note_first(workspace_id, note)
        outcome = note.missing or "stored"
        ATTACHMENTS.labels("incoming", outcome).inc()
        if note.missing is not None:
            log.warning(
                "attachment not fetched", attachment=attachment.attachment_id, reason=note.missing
            )

    async def _fetch(self, workspace_id: str, source_id: str, attachment: Attachment) -> Note:
        """The bytes are stored; what is to be noted of them."""
        try:
            async with asyncio.timeout(FILE_SECONDS):
                content = await self._download(source_id, attachment)
        except TimeoutError:
            content = UNREACHABLE
        if isinstance(content, bytes):
            await self._store.put(workspace_id, attachment.attachment_id, content)
            return Note(attachment)
        return Note(attachment, content, source_id)

    async def _download(self, source_id: str, attachment: Attachment) -> bytes | str:
        """The bytes, or in a word why there are none. Errors: Transient."""
        try:
            source = self._sources.get(source_id)
        except NotFound:
            return "gone"
        except Unavailable as error:
            raise Transient(str(error)) from error
        limit_bytes = capabilities_of(source.state.channel).fetch_max_bytes
        if (attachment.size_bytes or 0) > limit_bytes:
            return "too-large"
        platform = self._platforms[source.state.channel]
        for turn in range(_TRIES):
            if turn:
                await asyncio.sleep(_PAUSE_SECONDS * 2**turn)
            try:
                return await platform.fetch(source.credentials, attachment, limit_bytes)
            except FileTooLarge:
                return "too-large"
            except PlatformRefused:
                return "gone"
            except RateLimited as error:
                await asyncio.sleep(error.retry_after)
            except (NotReached, NoAnswer):
                continue
        return UNREACHABLE


# What makes the consumer try the batch again.
