"""The event store for a service's hot loop: asynchronous, many streams in one round trip."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from libs.eventstore.codec import (
    EARLIEST,
    INDEXES,
    LATEST,
    MAX_COMMIT_BYTES,
    READING,
    Document,
    commit_id,
    encoded,
    id_range,
    read_commit,
)
from libs.eventstore.commits import MAX_VERSION, Appended, Commit
from libs.eventstore.duplicates import refused_as_taken
from libs.eventstore.errors import (
    CauseRepeated,
    CommitUnreadable,
    StreamBroken,
    VersionConflict,
)

type AppendOutcome = Appended | VersionConflict | CauseRepeated

# A cursor's first batch is 101 documents by default: a second round trip for a batch of 500.
_BATCH = 10_000
# A filter with many alternatives is planned one by one (measured: 0.1 ms each up to 50, then more).
_RANGES_PER_QUERY = 50
_TIMES_READ_AGAIN = 3
# The bound lets the planner use the partial index, whose key is the time. Without it, the pending
# commits of a stream of 10,000 took 85 ms to find on SecantusDB, with it 1 ms.
_PENDING: Document = {"pending": True, "at": {"$gte": EARLIEST}}
_ASIDE: Document = {"pending": True, "aside": {"$exists": True}}
_NOT_ASIDE: Document = {"aside": {"$exists": False}}


_PUBLISHED: Document = {"$unset": {"pending": "", "aside": ""}}


class AsyncEventStore:
    """Commits in one MongoDB collection; what a document looks like is in `codec.py`.

    Writes are acknowledged by the majority and reads see only what was: a commit that a failover
    takes back must not be built upon.
    """

    def __init__(
        self,
        collection: AsyncCollection[Document],
        *,
        max_commit_bytes: int = MAX_COMMIT_BYTES,
    ) -> None:
        self._collection: AsyncCollection[Document] = collection.with_options(
            codec_options=READING,
            write_concern=WriteConcern(w="majority"),
            read_concern=ReadConcern("majority"),
        )
        self._max_commit_bytes = max_commit_bytes

    async def ensure_indexes(self) -> None:
        """Create the two indexes where they are missing."""
        await self._collection.create_indexes(list(INDEXES))

    async def append(self, commits: Sequence[Commit]) -> list[AppendOutcome]:
        """Append commits of different streams in one bulk write; an outcome for each, in order.

        One that is refused does not stop the others. Raises ValueError where two are of one
        stream, CommitTooLarge where one passes the limit: then nothing was written. Any other
        failure of the server is raised as the driver's; what had been written stays pending.

        Where both the version and a cause are taken, which of the two is told is the server's
        choice: after a VersionConflict the writer loads again and sees the cause in the stream.
        """
        if not commits:
            return []
        if len({commit.stream for commit in commits}) != len(commits):
            raise ValueError("a call appends at most one commit to a stream")
        documents = [encoded(commit, self._max_commit_bytes) for commit in commits]
        outcomes: list[AppendOutcome] = [Appended(commit) for commit in commits]
        try:
            await self._collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            _refuse(error, commits, outcomes)
        return outcomes

    def check_size(self, commit: Commit) -> None:
        """Raise CommitTooLarge where `append` would; for the edge, before anything is decided."""
        encoded(commit, self._max_commit_bytes)

    async def load(self, streams: Mapping[str, int]) -> dict[str, list[Commit]]:
        """The commits after the given version of each stream, in order; 0 asks for all.

        A version is one at which a commit ends: 0, or the `last` of a commit. Every stream asked
        for has its entry. One query where all are asked from 0; else two, and a third for those
        that have more than one commit more. Raises StreamBroken where a commit is missing.
        """
        loaded = await self._load_once(streams)
        for _ in range(_TIMES_READ_AGAIN):
            # A query that runs while others append may see a stream's commit and not the one
            # before it, which was written after the scan had passed its place. Seen once more,
            # it is there.
            torn = [s for s, after in streams.items() if _missing(after, loaded[s]) is not None]
            if not torn:
                return loaded
            loaded |= await self._load_once({stream: streams[stream] for stream in torn})
        for stream, after in streams.items():
            if (hole := _missing(after, loaded[stream])) is not None:
                raise StreamBroken(stream, *hole)
        return loaded

    async def load_pending(self, streams: Collection[str]) -> dict[str, list[Commit]]:
        """Those commits of the streams that are not marked published, in order."""
        # Two conjuncts, because with all on one level SecantusDB goes through all commits of the
        # streams: 50 ms for one of 10,000, where this takes about 1 (whatever it explains).
        found = await self._find({"$and": [_PENDING, {"stream": {"$in": list(streams)}}]})
        return _by_stream(streams, found)

    async def existing(self, streams: Collection[str]) -> set[str]:
        """Those of which anything is stored, whether it can be read or not."""
        found = self._collection.find({"stream": {"$in": list(streams)}}, {"stream": 1})
        return {one["stream"] for one in await found.to_list()}

    async def applied_causes(self, causes: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
        """Which of the given causes each stream has already had, for a batch cut differently."""
        applied: dict[str, set[str]] = {stream: set() for stream in causes}
        asked = [{"stream": s, "causes": {"$in": list(c)}} for s, c in causes.items() if c]
        if asked:
            cursor = self._collection.find({"$or": asked}, {"stream": 1, "causes": 1})
            async for document in cursor:
                stream = document["stream"]
                applied[stream].update(set(causes[stream]).intersection(document["causes"]))
        return applied

    async def pending(
        self,
        limit: int,
        older_than: datetime,
        unreadable: list[CommitUnreadable] | None = None,
    ) -> list[Commit]:
        """The oldest unpublished commits recorded before the instant, in order within a stream;
        none of streams that are set aside.

        What cannot be read is put among the `unreadable`; without these it is raised.
        """
        return await self._find(
            {"pending": True, "at": {"$lt": older_than}, **_NOT_ASIDE},
            unreadable,
            sort=[("at", ASCENDING), ("_id", ASCENDING)],
            limit=limit,
        )

    async def timeless(self, limit: int) -> list[CommitUnreadable]:
        """Unpublished commits that say of no possible time when they were recorded: `pending` does
        not find them all."""
        unreadable: list[CommitUnreadable] = []
        possible = {"$gte": EARLIEST, "$lte": LATEST}
        await self._find(
            {"pending": True, "at": {"$not": possible}, **_NOT_ASIDE}, unreadable, limit=limit
        )
        return unreadable

    async def count_pending(self) -> int:
        """How many commits are unpublished and not set aside, for the gauge."""
        return await self._collection.count_documents(_PENDING | _NOT_ASIDE)

    async def set_aside(self, stream: str, why: str, document_id: object = None) -> None:
        """Mark the stream's pending commits as set aside; and the document, where it is one that
        does not name its stream."""
        mark = {"$set": {"aside": {"at": datetime.now(UTC), "why": why}}}
        await self._collection.update_many({"$and": [_PENDING, {"stream": stream}]}, mark)
        if document_id is not None:
            await self._collection.update_one({"_id": document_id, "pending": True}, mark)

    async def streams_set_aside(self, limit: int = 1_000) -> dict[str, str]:
        """Streams that are set aside, each with why."""
        shown = {"stream": 1, "aside": 1}
        found = self._collection.find(_ASIDE, shown, limit=limit, batch_size=_BATCH)
        return {
            str(one.get("stream") or one["_id"]): str(one["aside"].get("why", ""))
            for one in await found.to_list()
        }

    async def aside(self, limit: int) -> list[Commit]:
        """Commits of streams that are set aside, of those that can be read."""
        return await self._find(_ASIDE, [], limit=limit)

    async def take_back(self, streams: Collection[str] | None = None) -> int:
        """The streams (None: all) are set aside no longer, and swept again; how many commits."""
        wanted = _ASIDE
        if streams is not None:
            named = list(streams)
            wanted = {
                "$and": [_ASIDE, {"$or": [{"stream": {"$in": named}}, {"_id": {"$in": named}}]}]
            }
        done = await self._collection.update_many(wanted, {"$unset": {"aside": ""}})
        return done.modified_count

    async def read(
        self, stream: str, after: int, limit: int, *, backwards: bool = False
    ) -> list[Commit]:
        """A page of a stream, at most `limit` commits; short only where the stream ends.

        Forwards from the beginning with `after=0`, then after the `last` of the page's last
        commit. Backwards, newest first, from the end with `after=0`, then before the `first` of
        the page's last commit.
        """
        if backwards:
            return await self._read_back(stream, after, limit)
        page: list[Commit] = []
        while len(page) < limit:
            # Bounded, because some servers resolve every match before they sort or limit.
            found = await self._range(stream, after, after + limit, limit - len(page))
            if not found:
                break
            page += found
            after = page[-1].last
        return page

    async def at(self, places: Iterable[tuple[str, int]]) -> list[Commit]:
        """The commits that begin at the given versions of their streams, in no order; those that
        are not there are left out."""
        ids = [commit_id(stream, first) for stream, first in places]
        return await self._find({"_id": {"$in": ids}} if ids else None)

    async def mark_published(self, commits: Iterable[Commit | str]) -> None:
        """Mark commits (or their document ids) as published, in one write."""
        ids = [c if isinstance(c, str) else commit_id(c.stream, c.first) for c in commits]
        if ids:
            await self._collection.update_many({"_id": {"$in": ids}}, _PUBLISHED)

    async def pages(
        self, *, size: int = 500, unreadable: list[CommitUnreadable] | None = None
    ) -> AsyncIterator[list[Commit]]:
        """Every commit without its public messages, stream by stream in order, for rebuilds.

        What cannot be read is put among the `unreadable`; without these it is raised.

        What is appended meanwhile may or may not be among them. The messages are half of a commit,
        and nothing is rebuilt from them.
        """
        cursor = self._collection.find({}, {"public": 0}, batch_size=size).sort("_id", ASCENDING)
        async with cursor:
            while page := await cursor.to_list(size):
                yield _commits(page, unreadable)

    async def documents(
        self,
        stream: str | None = None,
        *,
        after: int = -1,
        upto: int = MAX_VERSION,
        batch_size: int = 200,
    ) -> AsyncIterator[list[Document]]:
        """Everything as it is stored, or what ids say is a stream's, in the order of the ids:
        of its commits those with `after` < `first` <= `upto`.

        For verification: where `load` and `pages` tell of commits, this believes nothing.
        """
        wanted = {} if stream is None else {"_id": id_range(stream, after, upto)}
        # The driver decodes a whole answer of the server at once: without a bound, up to 16 MB.
        cursor = self._collection.find(wanted).sort("_id", ASCENDING).batch_size(batch_size)
        async with cursor:
            while batch := await cursor.to_list(batch_size):
                yield batch

    async def strangers(self, stream: str) -> list[Document]:
        """Documents that `load` takes for the stream's and whose ids do not name it."""
        found = self._collection.find({"stream": stream, "_id": {"$not": id_range(stream, -1)}})
        return await found.to_list()

    async def _load_once(self, streams: Mapping[str, int]) -> dict[str, list[Commit]]:
        whole = [stream for stream, after in streams.items() if after == 0]
        newer = {stream: after for stream, after in streams.items() if after > 0}
        of_whole, of_newer = await asyncio.gather(
            self._find({"stream": {"$in": whole}} if whole else None), self._newer(newer)
        )
        return _by_stream(streams, of_whole + of_newer)

    async def _newer(self, streams: Mapping[str, int]) -> list[Commit]:
        # The id of a stream's next commit is known. A caller who keeps the state of its streams
        # finds mostly none, and an equality costs a quarter of a range.
        next_ids = [commit_id(stream, after + 1) for stream, after in streams.items()]
        found = await self._find({"_id": {"$in": next_ids}} if next_ids else None)
        ranges = [{"_id": id_range(c.stream, c.first)} for c in found]
        queries = [
            self._find({"$or": ranges[at : at + _RANGES_PER_QUERY]})
            for at in range(0, len(ranges), _RANGES_PER_QUERY)
        ]
        for more in await asyncio.gather(*queries):
            found += more
        return found

    async def _read_back(self, stream: str, before: int, limit: int) -> list[Commit]:
        if before == 0:
            return await self._find(
                {"_id": id_range(stream, -1)}, sort=[("_id", DESCENDING)], limit=limit
            )
        page: list[Commit] = []
        width = limit
        while len(page) < limit and before > 0:
            lowest = max(before - width, 0)
            found = await self._find({"_id": id_range(stream, lowest - 1, before - 1)})
            found.sort(key=_first, reverse=True)
            page += found[: limit - len(page)]
            before = lowest
            width *= 4
        return page

    async def _range(self, stream: str, after: int, upto: int, limit: int) -> list[Commit]:
        found = await self._find({"_id": id_range(stream, after, upto)})
        found.sort(key=_first)
        return found[:limit]

    async def _find(
        self,
        query: Document | None,
        unreadable: list[CommitUnreadable] | None = None,
        **options: Any,
    ) -> list[Commit]:
        if query is None:
            return []
        cursor = self._collection.find(query, batch_size=_BATCH, **options)
        return _commits(await cursor.to_list(), unreadable)


def _refuse(
    error: BulkWriteError, commits: Sequence[Commit], outcomes: list[AppendOutcome]
) -> None:
    """Put the refusals of a bulk write into the outcomes; raise where it failed otherwise."""
    for failure in refused_as_taken(error):
        stream = commits[failure["index"]].stream
        if "causes" in failure["keyPattern"]:
            outcome: AppendOutcome = CauseRepeated(stream, failure["keyValue"]["causes"])
        else:
            outcome = VersionConflict(stream)
        outcomes[failure["index"]] = outcome


def _commits(
    documents: Iterable[Document], unreadable: list[CommitUnreadable] | None
) -> list[Commit]:
    if unreadable is None:
        return [read_commit(document) for document in documents]
    commits = []
    for document in documents:
        try:
            commits.append(read_commit(document))
        except CommitUnreadable as error:
            unreadable.append(error)
    return commits


def _first(commit: Commit) -> int:
    return commit.first


def _by_stream(streams: Iterable[str], commits: Iterable[Commit]) -> dict[str, list[Commit]]:
    grouped: dict[str, list[Commit]] = defaultdict(list)
    for commit in commits:
        grouped[commit.stream].append(commit)
    return {stream: sorted(grouped[stream], key=_first) for stream in streams}


def _missing(after: int, commits: Sequence[Commit]) -> tuple[int, int] | None:
    """The first version that is not there, and the one found instead; None where all are."""
    for commit in commits:
        if commit.first != after + 1:
            return after + 1, commit.first
        after = commit.last
    return None
