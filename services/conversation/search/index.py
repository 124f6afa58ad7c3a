"""The rows that a search looks in (``conversation_search``), beside the inbox's.

One for each message and note, and one, named by the conversation, for what it is called by:

    {_id: message, note or conversation id, c: conversation id, v, at, t: [int64…], p?: [int64…]}

They are written behind, in batches, by a consumer of ``parley.conversation``: taking a message in
costs no more for them, and a search sees what was written about half a second ago. ``v`` is the
version of the stream that the row was made of; a row is replaced only by a newer one.

Where a person was forgotten there is a tombstone, ``{_id, c, forgotten_at}``: nothing recorded up
to then is written again, however late a copy of it arrives.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne

from libs.runtime.mongo import Document
from services.conversation.rows import Rows, write_newer
from services.conversation.search.tokens import Found

SEARCH: Final = "conversation_search"
SEARCH_INDEXES: Final = (
    IndexModel([("t", ASCENDING), ("at", DESCENDING)], name="words"),
    IndexModel([("c", ASCENDING)], name="conversation"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row to be. ``at`` is the fact's time, ``recorded_at`` when it was written down."""

    id: str
    conversation_id: str
    version: int
    at: datetime
    recorded_at: datetime
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

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

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
            _replacement,
        )
        # Who was forgotten between the look and the write is forgotten again.
        if late := (await self._forgotten(streams)).keys() - forgotten.keys():
            await self._rows.delete_many({"c": {"$in": sorted(late)}, "forgotten_at": None})

    async def forget(self, conversation_ids: Collection[str], at: datetime) -> None:
        """Nothing recorded in these conversations up to ``at`` is found any more, ever.

        Errors: the driver's; repeating is harmless.
        """
        for conversation_id in conversation_ids:
            # First the tombstone, which a writer looks for after it has written.
            tombstone = {"c": conversation_id, "forgotten_at": at}
            await self._rows.replace_one(
                {"_id": _tombstone_id(conversation_id)}, tombstone, upsert=True
            )
        await self._rows.delete_many({"c": {"$in": list(conversation_ids)}, "forgotten_at": None})

    async def _forgotten(self, streams: Iterable[str]) -> Mapping[str, datetime]:
        ids = [_tombstone_id(stream) for stream in streams]
        return {
            row["c"]: row["forgotten_at"] async for row in self._rows.find({"_id": {"$in": ids}})
        }


def _lasting(entries: Sequence[Entry], forgotten: Mapping[str, datetime]) -> list[Entry]:
    return [
        entry
        for entry in entries
        if (at := forgotten.get(entry.conversation_id)) is None or entry.recorded_at > at
    ]


def _tombstone_id(conversation_id: str) -> str:
    return f"{conversation_id}.forgotten"


def _replacement(row: Document) -> ReplaceOne[Document]:
    return ReplaceOne({"_id": row["_id"], "v": {"$lt": row["v"]}}, row)
