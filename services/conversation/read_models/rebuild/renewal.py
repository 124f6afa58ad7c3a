"""Read models of another version are made again by themselves, by one replica, while all go on.

``conversation_read_models`` has which version of a model the rows are of, and until when a process
has the task of making them:

    {_id: read model, version, until?}

Until then what is found is what the older rows are found by. A replica of the release before that
still runs beside may write older rows meanwhile: ``parley rebuild`` makes those again too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.runtime.away import SERVER_AWAY
from libs.runtime.mongo import Document
from libs.runtime.stopping import stopped_within
from services.conversation.read_models.customers.rows import VERSION as CUSTOMERS_VERSION
from services.conversation.read_models.rebuild.rebuild import ReadModel, Rebuilt, rebuild
from services.conversation.read_models.search.tokens import VERSION as SEARCH_VERSION

log = structlog.get_logger()

READ_MODELS: Final = "conversation_read_models"
# Those whose rows say something else in one release than in another, of the same commits.
# The search's last: it is made of the customers' too.
VERSIONS: Final[Mapping[str, int]] = {
    "attachments": 1,
    "customers": CUSTOMERS_VERSION,
    "search": SEARCH_VERSION,
}
_LEASE: Final = timedelta(seconds=60)
_LOOK_AGAIN_SECONDS: Final = 20.0


class BeingRebuilt(Exception):
    """Another process makes the read model's rows at the moment."""


async def rebuild_alone(
    database: AsyncDatabase[Document], deployment_key: bytes, name: str, model: ReadModel
) -> Rebuilt:
    """Rebuild the model under a lease of its own, and note its version.

    Errors: BeingRebuilt, the driver's.
    """
    async with _turn(database, name):
        rebuilt = await rebuild(database, deployment_key, model)
        version = VERSIONS.get(name, 1)
        await database[READ_MODELS].update_one({"_id": name}, {"$set": {"version": version}})
        return rebuilt


class ReadModelRenewal:
    """Rebuilds, one after another, the read models whose rows an earlier release made.

    ``models``: how each read model is made, by its name."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        deployment_key: bytes,
        models: Mapping[str, Callable[[], ReadModel]],
    ) -> None:
        self._database = database
        self._key = deployment_key
        self._models = models

    async def run(self, stop: asyncio.Event) -> None:
        """Until all are of this release's version, or ``stop``."""
        done = False
        while not stop.is_set() and not done:
            try:
                done = await self._unless_stopped(stop, self.renew)
            except BeingRebuilt:
                pass
            except SERVER_AWAY as error:
                log.warning("a read model is rebuilt later", error=type(error).__name__)
            if not done:
                await stopped_within(stop, _LOOK_AGAIN_SECONDS)
        await stop.wait()

    async def renew(self) -> None:
        """Rebuild each read model whose version is older than this release's. Errors: BeingRebuilt,
        the driver's."""
        for name, version in VERSIONS.items():
            known = await self._database[READ_MODELS].find_one({"_id": name})
            if known is not None and known.get("version", 0) >= version:
                continue
            log.info("a read model is rebuilt", model=name, version=version)
            made = await rebuild_alone(self._database, self._key, name, self._models[name]())
            log.info("a read model was rebuilt", model=name, rows=made.rows)

    async def _unless_stopped(
        self, stop: asyncio.Event, work: Callable[[], Awaitable[None]]
    ) -> bool:
        """Whether it came to its end. Errors: those of ``work``."""
        working, stopping = asyncio.ensure_future(work()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
                return True
            return False
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)


@asynccontextmanager
async def _turn(database: AsyncDatabase[Document], name: str) -> AsyncIterator[None]:
    """No two at once: the collection beside the live one is the model's. Errors: BeingRebuilt."""
    rows, until = database[READ_MODELS], datetime.now(UTC) + _LEASE
    free: Document = {"$or": [{"until": None}, {"until": {"$lt": datetime.now(UTC)}}]}
    try:
        await rows.update_one({"_id": name, **free}, {"$set": {"until": until}}, upsert=True)
    except DuplicateKeyError:
        raise BeingRebuilt(f"{name} is being rebuilt by another process") from None
    keeping = asyncio.create_task(_keep(database, name))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await rows.update_one({"_id": name}, {"$unset": {"until": ""}})


async def _keep(database: AsyncDatabase[Document], name: str) -> None:
    while True:
        await asyncio.sleep(_LEASE.total_seconds() / 4)
        with suppress(*SERVER_AWAY):
            until = datetime.now(UTC) + _LEASE
            await database[READ_MODELS].update_one({"_id": name}, {"$set": {"until": until}})
