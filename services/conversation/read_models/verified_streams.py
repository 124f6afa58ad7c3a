"""How far long conversations were verified, so that an audit goes on from there.

    conversation_verified  {_id: stream, commits, version, hash, since, asked_at, due_at, mac,
                            again?: {began, commits, version, hash}}

``hash`` is that of the commit which ends at ``version``; up to there all was as it was written at
``since``. What is remembered is read again, a slice at a time, and all of it after a while, so that
what is altered later is found too: then it is forgotten, and whoever asks is told by the whole
chain. ``mac`` keeps whoever may write here and has no key from saying what was not verified. Of a
stream that nobody asked for since ``_KEPT`` nothing is remembered.
"""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection

from libs.eventstore.chain import Head
from libs.eventstore.commits import GENESIS
from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import VerifiedStream, verify_after, verify_stream
from libs.runtime.away import SERVER_AWAY
from libs.runtime.mongo import Document
from libs.runtime.stopping import stopped_within
from services.conversation.metrics import FOUND_ALTERED, REVERIFIED

log = structlog.get_logger()

VERIFIED: Final = "conversation_verified"
# Shorter ones are read whole in a few milliseconds.
LONG: Final = 500
SLICE: Final = 500
_PAUSE_SECONDS: Final = 5.0
AGAIN_AFTER: Final = timedelta(hours=1)
_LEASE: Final = timedelta(minutes=1)
_KEPT: Final = timedelta(days=30)
VERIFIED_INDEXES: Final = (
    IndexModel([("due_at", ASCENDING)], name="due"),
    IndexModel(
        [("asked_at", ASCENDING)], name="expiry", expireAfterSeconds=int(_KEPT.total_seconds())
    ),
)


@dataclass(frozen=True, slots=True)
class Point:
    """Up to where a stream was verified, how many commits that is, and since when it counts."""

    head: Head
    commits: int
    since: datetime


@dataclass(frozen=True, slots=True)
class VerifiedSince:
    """A stream, and what of it was not read for this answer; None where all of it was."""

    stream: VerifiedStream
    before: Point | None


class VerifiedStreams:
    """Errors of its methods: the driver's."""

    def __init__(
        self, collection: AsyncCollection[Document], store: AsyncEventStore, key: bytes
    ) -> None:
        self._collection = collection
        self._store = store
        self._key = hashlib.sha256(b"verified streams" + key).digest()

    async def verify(self, stream: str, *, whole: bool = False) -> VerifiedSince:
        """What nobody has verified yet; with ``whole`` all of it."""
        if not whole and (before := await self._point(stream)) is not None:
            newer = await verify_after(self._store, stream, before.head)
            if newer is not None:
                commits = before.commits + newer.commits
                if newer.commits:
                    await self._remember(stream, Point(newer.head, commits, before.since))
                told = VerifiedStream(stream, commits, newer.head, ())
                return VerifiedSince(told, before)
        began = datetime.now(UTC)
        verified = await verify_stream(self._store, stream)
        if verified.findings:
            await self._collection.delete_one({"_id": stream})
        elif verified.commits >= LONG:
            await self._remember(stream, Point(verified.head, verified.commits, began))
        return VerifiedSince(verified, None)

    async def run(self, stop: asyncio.Event) -> None:
        """Read again what is remembered, until ``stop``."""
        while not await stopped_within(stop, _PAUSE_SECONDS):
            try:
                await self.read_again(datetime.now(UTC))
            except SERVER_AWAY as error:
                log.warning("streams are not verified again now", error=repr(error))

    async def read_again(self, now: datetime) -> bool:
        """A slice of the stream that waits longest; whether there was one."""
        claimed = await self._collection.find_one_and_update(
            {"due_at": {"$lte": now}},
            {"$set": {"due_at": now + _LEASE}},
            sort=[("due_at", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )
        if claimed is None:
            return False
        stream = claimed["_id"]
        until = self._point_in(claimed)
        again = claimed.get("again") or {
            "began": now,
            "commits": 0,
            "version": 0,
            "hash": GENESIS,
        }
        head = Head(again["version"], bytes(again["hash"]))
        read = until and await verify_after(
            self._store, stream, head, min(head.version + SLICE, until.head.version)
        )
        if not until or not read or not (read.commits or head == until.head):
            await self._doubt(stream, until.head if until else None)
            return True
        REVERIFIED.inc(read.commits)
        commits = again["commits"] + read.commits
        if read.head.version < until.head.version:
            place = {"version": read.head.version, "hash": read.head.hash, "commits": commits}
            change = {"again": {"began": again["began"], **place}, "due_at": now}
            await self._collection.update_one({"_id": stream}, {"$set": change})
        elif (read.head, commits) != (until.head, until.commits):
            await self._doubt(stream, until.head)
        else:
            since = Point(until.head, until.commits, again["began"])
            await self._collection.update_one(
                # Where somebody asked meanwhile, it is remembered further on, and read on to there.
                {"_id": stream, "version": until.head.version},
                {
                    "$set": self._document(stream, since) | {"due_at": now + AGAIN_AFTER},
                    "$unset": {"again": ""},
                },
            )
        return True

    async def _doubt(self, stream: str, known: Head | None) -> None:
        """What was verified is not so any more, unless the whole says otherwise."""
        await self._collection.delete_one({"_id": stream})
        verified = await verify_stream(self._store, stream, known)
        if verified.findings:
            FOUND_ALTERED.inc()
            log.critical(
                "a stream is not as it was written",
                conversation_id=stream,
                findings=[str(one) for one in verified.findings[:10]],
            )

    async def _point(self, stream: str) -> Point | None:
        found = await self._collection.find_one({"_id": stream})
        return self._point_in(found) if found else None

    def _point_in(self, document: Document) -> Point | None:
        """None where somebody without the key has written it."""
        try:
            head = Head(document["version"], bytes(document["hash"]))
            point = Point(head, document["commits"], document["since"])
            mac = self._mac(document["_id"], point)
        except (LookupError, TypeError, ValueError, AttributeError):
            return None
        return point if hmac.compare_digest(mac, bytes(document.get("mac", b""))) else None

    async def _remember(self, stream: str, point: Point) -> None:
        now = datetime.now(UTC)
        await self._collection.update_one(
            {"_id": stream},
            {
                "$set": self._document(stream, point) | {"asked_at": now},
                "$setOnInsert": {"due_at": now + AGAIN_AFTER},
            },
            upsert=True,
        )

    def _document(self, stream: str, point: Point) -> Document:
        # MongoDB keeps milliseconds.
        since = point.since.replace(microsecond=point.since.microsecond // 1000 * 1000)
        kept = Point(point.head, point.commits, since)
        return {
            "version": point.head.version,
            "hash": point.head.hash,
            "commits": point.commits,
            "since": since,
            "mac": self._mac(stream, kept),
        }

    def _mac(self, stream: str, point: Point) -> bytes:
        told = (
            f"{stream} {point.head.version} {point.head.hash.hex()} {point.commits} "
            f"{point.since.timestamp():.3f}"
        )
        return hmac.digest(self._key, told.encode(), "sha256")
