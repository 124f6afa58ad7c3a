"""Seeing to it that each connected source's platform sends its updates to us, with our secret.

    {_id: source id, mark, registered_at, due_at, attempt, last_update_at}

``mark`` names what the platform was told last: the address, the secret, the kinds of updates. Where
it is not what the source's state asks for (connected, connected again, given other credentials, or
by a newer version) the platform is told, by whoever comes to it first: the request that changed the
source, or ``run``, which also goes on where a process died in between. This service knows a secret
before the platform does, and takes the former one until the platform was told.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from libs.events.api.directory import SourceHealth
from libs.events.channels import channel_name
from libs.events.content import Channel
from libs.events.directory import SourceState
from libs.events.ids import IdKey
from libs.runtime.away import SERVER_AWAY
from libs.runtime.backoff import pause
from libs.runtime.directory import Directory
from libs.runtime.language import spoken
from libs.runtime.mongo import Document
from libs.runtime.stopping import stopped_within
from services.ingest.localization import TEXTS
from services.ingest.ports.platform import PASSING, PlatformRefused, RateLimited
from services.ingest.ports.registration import Registered, Registration
from services.ingest.sources import OpenSource, SourceBook

log = structlog.get_logger()

TICK_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = timedelta(seconds=5)
_LEASE: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class RegistrarParts:
    directory: Directory
    sources: SourceBook
    registrations: Mapping[Channel, Registration[Any]]
    ids: IdKey
    url_of: Callable[[Channel, str], str]


class Registrar:
    """Of the channels whose platforms can be told; others need not be. ``run`` goes to the
    runtime's tasks."""

    def __init__(self, collection: AsyncCollection[Document], parts: RegistrarParts) -> None:
        self._collection = collection
        self._parts = parts
        # The state of a source that its platform is known to have been told of, by source.
        self._told: dict[str, SourceState] = {}
        self._last_update: dict[str, datetime] = {}
        self._unwritten: set[str] = set()

    def is_needed(self, channel: Channel) -> bool:
        """Whether the channel's platform has to be told."""
        return channel in self._parts.registrations

    def saw_update(self, source_id: str, at: datetime) -> None:
        """One has come; written down soon."""
        self._last_update[source_id] = at
        self._unwritten.add(source_id)

    def is_told(self, source: OpenSource[Any]) -> bool:
        """Whether the platform is known to send with the source's present secret."""
        return self._told.get(source.id) is source.state

    async def register(self, source: OpenSource[Any]) -> str | None:
        """Tell the platform now; why it does not send to us, None where it does. Errors: the
        driver's."""
        error = await self._tell(source)
        now = datetime.now(UTC)
        change: Document = {"due_at": now + _FIRST_PAUSE}
        if error is None:
            change |= {"mark": self._mark(source), "registered_at": now, "attempt": 0}
            self._told[source.id] = source.state
        await self._collection.update_one({"_id": source.id}, {"$set": change}, upsert=True)
        return error

    async def forget(self, source_id: str) -> None:
        """The platform was told to send nothing any more. Errors: the driver's."""
        self._told.pop(source_id, None)
        await self._collection.update_one({"_id": source_id}, {"$unset": {"mark": ""}})

    async def health(self, source: OpenSource[Any]) -> SourceHealth:
        """As the platform says now. Errors: the driver's."""
        url = self._url_of(source)
        row = await self._collection.find_one({"_id": source.id}) or {}
        times = [row.get("last_update_at"), self._last_update.get(source.id)]
        last = max((one for one in times if one is not None), default=None)
        registration = self._parts.registrations.get(source.state.channel)
        if registration is None:
            return SourceHealth(registered=True, webhook_url=url, last_update_at=last)
        found, error = Registered(), None
        try:
            found = await registration.registered(source.credentials)
        except (PlatformRefused, *PASSING) as failure:
            error = _words(failure, source)
        if error is None and found.url != url:
            error = TEXTS.say("webhook.elsewhere" if found.url else "webhook.none")
        return SourceHealth(
            registered=error is None,
            error=error,
            webhook_url=url,
            last_update_at=last,
            waiting_updates=found.waiting_updates,
            last_error=found.last_error,
            last_error_at=found.last_error_at,
        )

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if self._parts.sources.is_complete:
                    await self._write_down()
                    await self._catch_up(stop)
            except SERVER_AWAY as error:
                log.warning("webhooks are not looked after now", error=repr(error))
            await stopped_within(stop, TICK_SECONDS)

    async def _write_down(self) -> None:
        for source_id in sorted(self._unwritten):
            self._unwritten.discard(source_id)
            change = {"$max": {"last_update_at": self._last_update[source_id]}}
            await self._collection.update_one({"_id": source_id}, change, upsert=True)

    async def _catch_up(self, stop: asyncio.Event) -> None:
        doubted = {source.id: source for source in self._connected() if not self.is_told(source)}
        if not doubted:
            return
        rows = self._collection.find({"_id": {"$in": sorted(doubted)}}, {"mark": 1})
        for row in await rows.to_list():
            source = doubted[row["_id"]]
            if row.get("mark") == self._mark(source):
                self._told[source.id] = source.state
                del doubted[source.id]
        for source in doubted.values():
            if stop.is_set():
                return
            if (attempt := await self._claimed(source.id)) is not None:
                error = await self.register(source)
                if error is not None:
                    log.warning("a platform does not send to us", source=source.id, reason=error)
                    due_at = datetime.now(UTC) + pause(_FIRST_PAUSE, attempt)
                    change = {"$set": {"due_at": due_at}}
                    await self._collection.update_one({"_id": source.id}, change)

    def _connected(self) -> list[OpenSource[Any]]:
        channels = self._parts.registrations
        return [one for channel in channels for one in self._parts.sources.connected(channel)]

    async def _claimed(self, source_id: str) -> int | None:
        """Which attempt it is; None: another replica's, or not due yet."""
        now = datetime.now(UTC)
        due: Document = {"$or": [{"due_at": None}, {"due_at": {"$lte": now}}]}
        claim = {"$set": {"due_at": now + _LEASE}, "$inc": {"attempt": 1}}
        try:
            row = await self._collection.find_one_and_update(
                {"_id": source_id, **due}, claim, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            return None
        return int(row["attempt"]) if row else None

    async def _tell(self, source: OpenSource[Any]) -> str | None:
        registration = self._parts.registrations[source.state.channel]
        url = self._url_of(source)
        try:
            present = (await registration.registered(source.credentials)).url
            if present != url and self._is_anothers(present):
                return TEXTS.say("webhook.taken")
            await registration.register(source.credentials, url)
        except (PlatformRefused, *PASSING) as failure:
            return _words(failure, source)
        return None

    def _is_anothers(self, url: str) -> bool:
        """Whether another source of ours gets the account's updates: it would become deaf."""
        source_id = url.rpartition("/")[2]
        known = self._parts.directory.source(source_id)
        if known is None or not known[1].connected:
            return False
        return url == self._parts.url_of(known[1].channel, source_id)

    def _url_of(self, source: OpenSource[Any]) -> str:
        return self._parts.url_of(source.state.channel, source.id)

    def _mark(self, source: OpenSource[Any]) -> str:
        registration = self._parts.registrations[source.state.channel]
        told = registration.told(source.credentials, self._url_of(source))
        return self._parts.ids.derive("reg", source.id, *told)


def _words(failure: Exception, source: OpenSource[Any]) -> str:
    match failure:
        case PlatformRefused():
            return failure.description or TEXTS.say("webhook.error", {"code": failure.code})
        case RateLimited():
            return TEXTS.say("webhook.later", {"seconds": f"{failure.retry_after:g}"})
    name = channel_name(source.state.channel, spoken())
    return TEXTS.say("webhook.not-reached", {"channel": name, "reason": str(failure)})
