"""Taking our webhook off a platform when its source is disconnected.

Disconnecting forgets the source's credentials, and without them nobody could. So they are written
down here before it, sealed as they are:

    {_id: source id, workspace, channel, sealed, written_at, due_at, attempt}

Once the directory says that the source is disconnected, the platform is told, for a day at most,
until it took it or refused. To take off what is not there is no fault, so twice is as good as once.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection

from libs.events.channels import channel_name
from libs.events.content import Channel
from libs.events.directory import SourceState
from libs.runtime.away import SERVER_AWAY
from libs.runtime.backoff import pause
from libs.runtime.directory import Directory
from libs.runtime.language import spoken
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.sealing import CannotOpen
from libs.runtime.stopping import stopped_within
from services.ingest.localization import TEXTS
from services.ingest.metrics import LEFT
from services.ingest.ports.platform import PASSING, PlatformRefused
from services.ingest.ports.registration import Registration
from services.ingest.sources import SourceBook
from services.ingest.webhooks.registrar import Registrar

log = structlog.get_logger()

TICK_SECONDS: Final = 5.0
FIRST_PAUSE: Final = timedelta(seconds=30)
GIVE_UP_AFTER: Final = timedelta(days=1)
# A disconnection that was begun and never came: the source is connected still, and stays so.
NEVER_CAME_AFTER: Final = timedelta(minutes=10)
_LEASE: Final = timedelta(minutes=2)


class WebhookRemoval:
    """``url_of`` a source is what its platform was told. ``run`` goes to the runtime's tasks."""

    def __init__(
        self,
        collection: AsyncCollection[Document],
        directory: Directory,
        sources: SourceBook,
        registrations: Mapping[Channel, Registration[Any]],
        url_of: Callable[[Channel, str], str],
        registrar: Registrar,
    ) -> None:
        self._registrar = registrar
        self._collection = collection
        self._directory = directory
        self._sources = sources
        self._registrations = registrations
        self._url_of = url_of

    async def prepare(self, workspace_id: str, source: SourceState) -> None:
        """The source may be disconnected any moment. Errors: pymongo's."""
        if source.channel not in self._registrations or source.sealed_credentials is None:
            return
        now = datetime.now(UTC)
        document = {
            "workspace": workspace_id,
            "channel": source.channel.value,
            "sealed": source.sealed_credentials,
            "written_at": now,
            # Who disconnects asks for the end himself; this is for when he does not get to it.
            "due_at": now + FIRST_PAUSE,
            "attempt": 0,
        }
        await self._collection.replace_one({"_id": source.source_id}, document, upsert=True)

    async def cancel(self, source_id: str) -> None:
        """The source is connected again. Errors: pymongo's."""
        await self._collection.delete_one({"_id": source_id})

    async def finish(self, workspace_id: str, source_id: str) -> str | None:
        """Why the platform may still send to us; None where it does not. Errors: pymongo's."""
        document = await self._claimed({"_id": source_id, "workspace": workspace_id})
        return await self._step(document) if document else None

    async def run(self, stop: asyncio.Event) -> None:
        is_indexed = False
        while not stop.is_set():
            try:
                if not is_indexed:
                    await self._collection.create_index("due_at", name="due")
                    is_indexed = True
                while not stop.is_set() and self._sources.is_complete:
                    document = await self._claimed({"due_at": {"$lte": datetime.now(UTC)}})
                    if document is None:
                        break
                    with left_out("leaving", document["_id"], SERVER_AWAY):
                        await self._step(document)
            except SERVER_AWAY as error:
                log.warning("webhooks are not taken off yet", error=repr(error))
            await stopped_within(stop, TICK_SECONDS)

    async def _claimed(self, query: Document) -> Document | None:
        """One, for this replica until its lease ends: ``due_at``."""
        claim = {"$set": {"due_at": datetime.now(UTC) + _LEASE}, "$inc": {"attempt": 1}}
        claimed: Document | None = await self._collection.find_one_and_update(
            query, claim, return_document=ReturnDocument.AFTER
        )
        return claimed

    async def _step(self, document: Document) -> str | None:
        source_id, age = document["_id"], datetime.now(UTC) - document["written_at"]
        known = self._directory.source(source_id)
        if known is not None and known[1].connected:
            if age > NEVER_CAME_AFTER:
                await self._end(document)
            else:
                await self._later(document)
            return TEXTS.say("webhook.still-connected")
        # Those that were written down by a release that knew one such channel do not say which.
        channel = known[1].channel if known else Channel(document["channel"])
        try:
            await self._take_off(source_id, channel, document["sealed"])
        except PASSING as failure:
            if age <= GIVE_UP_AFTER:
                LEFT.labels("retry").inc()
                await self._later(document)
                told = {"channel": channel_name(channel, spoken()), "reason": str(failure)}
                return TEXTS.say("webhook.not-yet", told)
            reason: str | None = f"given up after a day ({failure})"
        except (PlatformRefused, CannotOpen) as refusal:
            reason = str(refusal)
        else:
            reason = None
        LEFT.labels("failed" if reason else "done").inc()
        if reason:
            log.warning("a webhook may still be registered", source=source_id, reason=reason)
        await self._end(document)
        return reason

    async def _take_off(self, source_id: str, channel: Channel, sealed: str) -> None:
        """Only what is ours: the account may send to another address by now.

        Errors: those of ``ports.platform``, CannotOpen, pymongo's.
        """
        registration = self._registrations[channel]
        credentials = self._sources.opened(source_id, channel, sealed)
        found = await registration.registered(credentials)
        if found.url == self._url_of(channel, source_id):
            await registration.unregister(credentials)
            await self._registrar.forget(source_id)

    async def _later(self, document: Document) -> None:
        due_at = datetime.now(UTC) + pause(FIRST_PAUSE, document["attempt"])
        await self._collection.update_one(self._same(document), {"$set": {"due_at": due_at}})

    async def _end(self, document: Document) -> None:
        await self._collection.delete_one(self._same(document))

    def _same(self, document: Document) -> Document:
        # Not one that was written down since: the source was connected and disconnected again.
        return {"_id": document["_id"], "written_at": document["written_at"]}
