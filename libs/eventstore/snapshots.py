"""Snapshots of streams, in a collection of their own: disposable, and never a commit.

    {_id: "<stream>", version, at: date, head: hash, data}

`head` is the hash of the commit that ends at the version: who decides on a snapshot to which
nothing was added builds on it. `data` is opaque bytes, and so is what it means: who changes that
drops the collection, or names another.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import msgspec
from bson.codec_options import CodecOptions
from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from libs.eventstore.codec import Document
from libs.eventstore.duplicates import refused_as_taken

_BATCH = 10_000


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A stream's state at the version at which a commit ends, recorded then."""

    stream: str
    version: int
    recorded_at: datetime
    head: bytes
    data: bytes


class Snapshots:
    """The newest snapshot of each stream, in one MongoDB collection."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection: AsyncCollection[Document] = collection.with_options(
            codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
            write_concern=WriteConcern(w="majority"),
            read_concern=ReadConcern("majority"),
        )

    async def load(self, streams: Collection[str]) -> dict[str, Snapshot]:
        """Those that there are, in one query."""
        if not streams:
            return {}
        found = self._collection.find({"_id": {"$in": list(streams)}}, batch_size=_BATCH)
        return {
            one["_id"]: Snapshot(one["_id"], one["version"], one["at"], one["head"], one["data"])
            for one in await found.to_list()
        }

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep them in one write, where no newer one of their streams is there."""
        if not snapshots:
            return
        try:
            await self._collection.bulk_write([_write(one) for one in snapshots], ordered=False)
        except BulkWriteError as error:
            # The upsert of one that is not newer than what is there finds its id taken.
            refused_as_taken(error)


def _write(one: Snapshot) -> UpdateOne:
    return UpdateOne(
        {"_id": one.stream, "version": {"$lt": one.version}},
        {
            "$set": {
                "version": one.version,
                "at": one.recorded_at,
                "head": one.head,
                "data": one.data,
            }
        },
        upsert=True,
    )
