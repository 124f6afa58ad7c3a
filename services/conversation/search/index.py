"""The rows that a search looks in (``conversation_search``), beside the inbox's.

One for each message and note, and one, named by the conversation, for what it is called by:

    {_id: message, note or conversation id, c: conversation id, v, at, t: [int64…], p?: [int64…]}

They are written behind, in batches, by a consumer of ``parley.conversation``: taking a message in
costs no more for them, and a search sees what was written about half a second ago. ``v`` is the
version of the stream that the row was made of; a row is replaced only by a newer one.

Where a person was forgotten, ``conversation_search_forgotten`` has ``{_id: conversation id, v}``:
nothing up to that version is written again, however late a copy of it arrives.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from libs.runtime.mongo import Document
from services.conversation.rows import Rows, replacing, write_newer
from services.conversation.search.tokens import Found

SEARCH: Final = "conversation_search"
FORGOTTEN: Final = "conversation_search_forgotten"
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

    async def put(self, new: Sequence[Entry], changed: Sequence[Entry] = ()) -> None:
        """``new`` are thought not to be there yet, ``changed`` may be. Errors: the driver's."""
        entries = (*new, *changed)
        if not entries:
            return
        streams = {entry.conversation_id for entry in entries}
        forgotten = await self._forgotten(streams)
        if forgotten:
            new, changed = _lasting(new, forgotten), _lasting(changed, forgotten)
        await write_newer(
            self._rows,
            [entry.row() for entry in new],
            [entry.row() for entry in changed],
            replacing,
        )
        # Who was forgotten between the look and the write is forgotten again.
        for stream, version in (await self._forgotten(streams)).items():
            if version > forgotten.get(stream, 0):
                await self._delete(stream, version)

    async def forget(self, conversations: Mapping[str, int]) -> None:
        """Nothing up to the version given of each is found any more, ever.

        Errors: the driver's; repeating is harmless.
        """
        for stream, version in conversations.items():
            # First the tombstone, which a writer looks for after it has written.
            await self._tombstones.update_one(
                {"_id": stream}, {"$max": {"v": version}}, upsert=True
            )
            await self._delete(stream, version)

    async def forget_again(self) -> None:
        """Take out what a rebuild made before it was forgotten, and put back. Errors: as above."""
        async for tombstone in self._tombstones.find():
            await self._delete(tombstone["_id"], tombstone["v"])

    async def _delete(self, stream: str, version: int) -> None:
        await self._rows.delete_many({"c": stream, "v": {"$lte": version}})

    async def _forgotten(self, streams: Iterable[str]) -> dict[str, int]:
        found = self._tombstones.find({"_id": {"$in": sorted(streams)}})
        return {row["_id"]: row["v"] async for row in found}


def _lasting(entries: Sequence[Entry], forgotten: Mapping[str, int]) -> list[Entry]:
    return [one for one in entries if one.version > forgotten.get(one.conversation_id, 0)]
