"""The rows that a search looks in (``conversation_search``), beside the inbox's.

One for each message and note, one for each case's number, one for each sender who has a name on the
platform, one for the person's cards (``cards.py``), and one, named by the conversation, for what it
is called by:

    {_id: message, note, case or conversation id…, c: conversation id, v, at, t: [int64…],
     p?: [int64…]}

They are written behind, in batches, by a consumer of ``parley.conversation``: taking a message in
costs no more for them, and a search sees what was written about half a second ago. ``v`` is the
version of the stream that the row was made of; a row is replaced only by a newer one. A case's
number is nobody's: its row has a version that no erasure reaches. The person's cards have no
version of the conversation's (0), they go with every erasure and are written anew.

Where a person was forgotten, ``conversation_search_forgotten`` has ``{_id: conversation id, v,
forgotten_at}``: nothing up to that version is written again while an open copy of it may arrive.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, ReplaceOne
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.mongo import Document
from libs.runtime.rows import Rows, replacing, write_newer
from services.conversation.read_models.search.tokens import Found

SEARCH: Final = "conversation_search"
FORGOTTEN: Final = "conversation_search_forgotten"
# Kafka has open texts for 7 days, which somebody late may read; the sealed ones open no more.
_REMEMBERED: Final = timedelta(days=90)
FORGOTTEN_INDEXES: Final = (
    IndexModel(
        [("forgotten_at", ASCENDING)],
        name="expiry",
        expireAfterSeconds=int(_REMEMBERED.total_seconds()),
    ),
)
FOR_EVER: Final = 2**62
SEARCH_INDEXES: Final = (
    IndexModel([("t", ASCENDING), ("at", DESCENDING)], name="words"),
    IndexModel([("c", ASCENDING)], name="conversation"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row to be; ``at`` is the fact's time."""

    id: str
    conversation_id: str
    version: int
    at: datetime
    found: Found

    def row(self) -> Document:
        row: Document = {
            "_id": self.id,
            "c": self.conversation_id,
            "v": self.version,
            "at": self.at,
            "t": sorted(self.found.t),
        }
        return row | {"p": sorted(self.found.p)} if self.found.p else row


class SearchIndex:
    """Writes the rows and takes them away."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._rows: Rows = database[SEARCH]
        self._tombstones: Rows = database[FORGOTTEN]

    async def put(
        self,
        new: Sequence[Entry],
        changed: Sequence[Entry] = (),
        forgotten: Mapping[str, int] | None = None,
    ) -> None:
        """``new`` are thought not to be there yet, ``changed`` may be; ``forgotten`` as it was
        before they were made. Errors: the driver's."""
        entries = (*new, *changed)
        if not entries:
            return
        streams = {entry.conversation_id for entry in entries}
        if forgotten is None:
            forgotten = await self.forgotten(streams)
        if forgotten:
            new, changed = _lasting(new, forgotten), _lasting(changed, forgotten)
        await write_newer(
            self._rows,
            [entry.row() for entry in new],
            [entry.row() for entry in changed],
            replacing,
        )
        # Who was forgotten between the look and the write is forgotten again.
        for stream, version in (await self.forgotten(streams)).items():
            if version > forgotten.get(stream, 0):
                await self._delete(stream, version)

    async def put_cards(self, cards: Mapping[str, Entry | None]) -> None:
        """By the conversations' ids; None: nothing is written down. Errors: the driver's."""
        operations: list[ReplaceOne[Document] | DeleteOne] = []
        for conversation_id, entry in cards.items():
            named = {"_id": f"{conversation_id}.card"}
            if entry is None:
                operations.append(DeleteOne(named))
            else:
                operations.append(ReplaceOne(named, entry.row(), upsert=True))
        if operations:
            await self._rows.bulk_write(operations, ordered=False)

    async def forget(self, conversations: Mapping[str, int]) -> None:
        """Nothing up to the version given of each is found any more.

        Errors: the driver's; repeating is harmless.
        """
        for stream, version in conversations.items():
            # First the tombstone, which a writer looks for after it has written.
            await self._tombstones.update_one(
                {"_id": stream},
                {"$max": {"v": version}, "$set": {"forgotten_at": datetime.now(UTC)}},
                upsert=True,
            )
            await self._delete(stream, version)

    async def forget_again(self) -> None:
        """Take out what a rebuild made before it was forgotten, and put back. Errors: as above."""
        async for tombstone in self._tombstones.find():
            await self._delete(tombstone["_id"], tombstone["v"])

    async def _delete(self, stream: str, version: int) -> None:
        await self._rows.delete_many({"c": stream, "v": {"$lte": version}})

    async def forgotten(self, streams: Iterable[str]) -> dict[str, int]:
        """Up to which version, of those of whom anything was. Errors: the driver's."""
        found = self._tombstones.find({"_id": {"$in": sorted(streams)}})
        return {row["_id"]: row["v"] async for row in found}


def _lasting(entries: Sequence[Entry], forgotten: Mapping[str, int]) -> list[Entry]:
    return [one for one in entries if one.version > forgotten.get(one.conversation_id, 0)]
