"""A read model's rows: found, inserted, and written only over older versions.

Rows are written in few calls: new ones in one insert, known ones in one update (``change_each``
says what that saves).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from libs.eventstore.duplicates import refused_as_taken
from libs.runtime.mongo import Document, DocumentChange, change_each, with_fields

type Rows = AsyncCollection[Document]
type Replacement = Callable[[Document], DocumentChange]

_FIND_BATCH: Final = 10_000


def replacing(row: Document) -> DocumentChange:
    """Of a row that has one version, at ``v``."""
    return DocumentChange({"$lt": ["$v", row["v"]]}, {"$literal": row})


def part_update(row: Document, part: str) -> DocumentChange:
    older = {"$lt": [{"$ifNull": [f"${part}.v", 0]}, row[part]["v"]]}
    return DocumentChange(older, with_fields(row))


async def find_rows(rows: Rows, ids: Collection[str]) -> list[Document]:
    if not ids:
        return []
    return await rows.find({"_id": {"$in": list(ids)}}, batch_size=_FIND_BATCH).to_list()


async def write_newer(
    rows: Rows, new: Sequence[Document], known: Sequence[Document], replacement: Replacement
) -> None:
    """See that each document, or a newer version of it, is there.

    ``new`` are thought not to be there yet, ``known`` to be; being wrong costs a round trip.
    """
    # Who is there already may be older, and then has to be replaced.
    updates = [*known, *await insert_missing(rows, new)]
    if await _update(rows, updates, replacement):
        return
    # Some are not there. Once an insert is refused the row is there for certain, so the second
    # update decides.
    refused = await insert_missing(rows, known)
    await _update(rows, refused, replacement)


async def insert_missing(rows: Rows, documents: Sequence[Document]) -> list[Document]:
    """Insert what is not there; the answer is what is: those refused because of their id."""
    if not documents:
        return []
    try:
        await rows.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return [documents[failure["index"]] for failure in refused_as_taken(error)]
    return []


async def _update(rows: Rows, updates: Sequence[Document], replacement: Replacement) -> bool:
    """Whether each of the rows is there, now at least as new."""
    # Not in a transaction of the client's: one that a killed process leaves open keeps everybody
    # off its rows until the server gives it up, after 60 s.
    there = True
    while updates:
        # Two parts of one row come one after the other.
        changes: dict[str, DocumentChange] = {}
        later = []
        for row in updates:
            if row["_id"] in changes:
                later.append(row)
            else:
                changes[row["_id"]] = replacement(row)
        there &= await change_each(rows, changes) == len(changes)
        updates = later
    return there
