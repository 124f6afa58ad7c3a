"""Which build's migration the servers have had, and that only one migrates at a time.

``parley_migrations`` in MongoDB: {_id: "<build>", at: <instant>} for each build that migrated, and
{_id: "running", by: "<a migration's id>", until: <instant>} while one does.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import structlog
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

import libs
import services
from libs.runtime.mongo import Document, mongo_client
from libs.runtime.settings import MongoSettings

log = structlog.get_logger()

MIGRATIONS: Final = "parley_migrations"
_RUNNING: Final = "running"
# One that was killed holds the others up for no longer.
_LEASE: Final = timedelta(seconds=30)
_RENEWED_EVERY_S: Final = 10.0
_ASKED_EVERY_S: Final = 1.0


@cache
def build() -> str:
    """The same for the same code, in every process: what it declares on the servers is the same."""
    digest = hashlib.sha256()
    for package in (libs, services):
        [folder] = package.__path__
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in (".py", ".sql"):
                digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@asynccontextmanager
async def migrations(settings: MongoSettings) -> AsyncIterator["Migrations"]:
    """Errors: the driver's."""
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-migrate")
    try:
        yield Migrations(client[settings.mongodb_database][MIGRATIONS])
    finally:
        await client.close()


class Migrations:
    """Errors of all: the driver's."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def is_done(self) -> bool:
        """Whether the servers have what this build needs."""
        return await self._collection.find_one({"_id": build()}) is not None

    async def done(self) -> None:
        now = datetime.now(UTC)
        await self._collection.update_one({"_id": build()}, {"$set": {"at": now}}, upsert=True)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Waits while another migrates."""
        me = secrets.token_hex(8)
        while not await self._take(me):
            log.info("another migration is running, waiting for it")
            await asyncio.sleep(_ASKED_EVERY_S)
        renewing = asyncio.create_task(self._keep(me))
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
            await self._collection.delete_one({"_id": _RUNNING, "by": me})

    async def _take(self, me: str) -> bool:
        now = datetime.now(UTC)
        free = {"_id": _RUNNING, "$or": [{"by": me}, {"until": {"$lt": now}}]}
        try:
            await self._collection.update_one(
                free, {"$set": {"by": me, "until": now + _LEASE}}, upsert=True
            )
        except DuplicateKeyError:
            return False
        return True

    async def _keep(self, me: str) -> None:
        while True:
            await asyncio.sleep(_RENEWED_EVERY_S)
            if not await self._take(me):
                raise RuntimeError("another migration took over: this one was away for too long")
