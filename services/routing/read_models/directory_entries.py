"""Each directory entry's newest message, so that it can be published again: ``routing_things``.

{_id: "<key>", type: "<its public type>", sequence: n, message: <PublicMessage in msgpack>}
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from libs.events.directory import WorkspaceState
from libs.events.registry import spec_of
from libs.eventstore.commits import PublicMessage
from libs.eventstore.decisions import Decision
from libs.eventstore.duplicates import refused_as_taken
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document


class DirectoryEntries:
    """Disposable: it is made again from the commits."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """For finding the workspaces among them."""
        await self._collection.create_index("type", name="type")

    async def project(self, decisions: Sequence[Decision[Any]]) -> None:
        """For the outbox: keep the newest message of each entry, whatever order they come in."""
        newest: dict[str, PublicMessage] = {}
        for decision in decisions:
            for message in decision.messages:
                known = newest.get(message.key)
                if known is None or known.sequence < message.sequence:
                    newest[message.key] = message
        writes = [_write(message) for message in newest.values()]
        if not writes:
            return
        try:
            await self._collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            # The upsert of an older message than the one that is there finds its id taken.
            refused_as_taken(error)

    async def sequences(self) -> AsyncIterator[tuple[str, int]]:
        """Every entry's key and newest sequence."""
        async with self._collection.find({}, {"sequence": 1}) as cursor:
            async for document in cursor:
                yield document["_id"], document["sequence"]

    async def messages(self, keys: Sequence[str]) -> list[PublicMessage]:
        """The newest messages of the entries, as they were published."""
        found = await self._collection.find({"_id": {"$in": list(keys)}}).to_list() if keys else []
        messages = []
        for one in found:
            with left_out("directory row", one["_id"]):
                messages.append(msgspec.msgpack.decode(one["message"], type=PublicMessage))
        return messages

    async def workspace_ids(self) -> list[str]:
        """Every workspace there is."""
        found = await self._collection.find(
            {"type": spec_of(WorkspaceState).name}, {"_id": 1}
        ).to_list()
        return [document["_id"] for document in found]


def _write(message: PublicMessage) -> UpdateOne:
    return UpdateOne(
        {"_id": message.key, "sequence": {"$lt": message.sequence}},
        {
            "$set": {
                "sequence": message.sequence,
                "type": message.type,
                "message": msgspec.msgpack.encode(message),
            }
        },
        upsert=True,
    )
