"""Finding conversations by words: each word in what is written there, or in what it is called by.

The rarest word's rows are gone through, newest first, by ranges of time (see ``listing.py``);
whether a conversation has the other words too is asked of its own rows. How rare words are is
learnt from their newest rows. A search goes on for a bounded time; where the page is not full by
then, its cursor says which word it went by, and where to go on.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from cachetools import LRUCache

from libs.events.registry import Instant
from libs.runtime.cursors import Place
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows
from services.conversation.localization.localizer import wrong
from services.conversation.read_models.listing import Hints, Lister, Order, narrowed
from services.conversation.read_models.search.entries import Entries
from services.conversation.read_models.search.tokens import Alternative, Wanted, is_common

# No query names its index: SecantusDB then goes through all of it (seconds instead of 1 ms).
_NEWEST_FIRST: Final = Order("at", descending=True)
_FIELDS: Final = {"c": 1, "at": 1}
# A word that is in most texts fills a page within it; of a rare one the range widens quickly.
_FIRST_SPAN: Final = timedelta(minutes=1)
_LOOKED_AT: Final = 60
# A round costs the server about 0.1 ms a conversation where there are other words.
_LOOKED_AT_MOST: Final = 240
_PATIENCE_S: Final = 0.05
_RARITIES: Final = 5_000
_DAY: Final = timedelta(days=1)


class SearchPlace(Place, frozen=True):
    """After which row of the query's ``word``-th word a page begins."""

    at: Instant
    id: str
    word: int


class Rarity:
    """How many rows a day the words had that were looked for; it only affects speed."""

    def __init__(self) -> None:
        self._a_day: LRUCache[Wanted, float] = LRUCache(_RARITIES)

    def learn(self, word: Wanted, newest: Sequence[Document]) -> None:
        """``newest``: as many of its rows as are looked at first, or all that there are."""
        if len(newest) < _LOOKED_AT:
            # Rarer than any that has more, however close together they are.
            a_day = len(newest) / _LOOKED_AT - 1
        else:
            a_day = len(newest) / max((datetime.now(UTC) - newest[-1]["at"]) / _DAY, 0.001)
        self._a_day[word] = a_day

    def of(self, word: Wanted) -> float | None:
        """Lower is rarer; None of a word never looked for."""
        return self._a_day.get(word)


class Search:
    """Looks in the rows of all workspaces: a token is its workspace's."""

    def __init__(self, rows: Rows, entries: Entries) -> None:
        self._rows = rows
        self._entries = entries
        self._lister = Lister(rows, Hints(), _FIELDS, first_span=_FIRST_SPAN)
        self._rarity = Rarity()

    async def begin(self, workspace_id: str, query: str, after: SearchPlace | None) -> "SearchRun":
        """Errors: Invalid (a query without a word; another query's cursor)."""
        wanted = await asyncio.to_thread(self._entries.tokens(workspace_id).wanted, query)
        if not wanted:
            raise wrong("q", "no-word")
        if after is not None and not 0 <= after.word < len(wanted):
            raise wrong("cursor", "other-order")
        common = is_common(query)
        return SearchRun(self._rows, self._lister, self._rarity, wanted, after, is_common=common)


class SearchRun:
    """One search under way. ``is_common``: nearly every text has all that is looked for, so that
    names alone are found by it."""

    def __init__(
        self,
        rows: Rows,
        lister: Lister,
        rarity: Rarity,
        wanted: Sequence[Wanted],
        after: SearchPlace | None,
        *,
        is_common: bool,
    ) -> None:
        self.is_common = is_common
        self._rows = rows
        self._lister = lister
        self._rarity = rarity
        self._wanted = wanted
        self._before = after
        self._at = after
        self._seen: set[str] = set()
        self._size = _LOOKED_AT
        self._tired_at = monotonic() + _PATIENCE_S
        self._over = False

    @property
    def is_over(self) -> bool:
        return self._over

    @property
    def is_tired(self) -> bool:
        """It has taken as long as one request may; it looks at some rows in any case."""
        return self._at is not self._before and monotonic() > self._tired_at

    @property
    def place(self) -> SearchPlace | None:
        """Up to where it has looked."""
        return self._at

    async def more(self) -> list[tuple[str, SearchPlace]]:
        """Conversations not met before that every word is in, newest first, each with its place."""
        if self._at is None:
            number, rows = await self._rarest()
        else:
            number, after = self._at.word, (self._at.at, self._at.id)
            rows = await self._newest(self._wanted[number], after)
        if len(rows) < self._size:
            self._over = True
        if not rows:
            return []
        # Where few are met, fewer questions of more rows each.
        self._size = min(2 * self._size, _LOOKED_AT_MOST)
        self._at = SearchPlace(*_NEWEST_FIRST.place(rows[-1]), number)
        newest: dict[str, Document] = {}
        for row in rows:
            if row["c"] not in self._seen:
                newest.setdefault(row["c"], row)
        self._seen.update(newest)
        if self._before is not None and newest:
            for shown in await self._shown_before(self._wanted[number], list(newest), self._before):
                del newest[shown]
        others = [word for at, word in enumerate(self._wanted) if at != number]
        for word in sorted(others, key=lambda one: self._rarity.of(one) or 0):
            if newest:
                holding = await self._having(word, list(newest))
                newest = {stream: row for stream, row in newest.items() if stream in holding}
        return [
            (stream, SearchPlace(row["at"], row["_id"], number)) for stream, row in newest.items()
        ]

    async def _rarest(self) -> tuple[int, list[Document]]:
        """The number of the rarest word, and its newest rows."""
        numbered = list(enumerate(self._wanted))
        new = [
            (number, word)
            for number, word in numbered
            if len(numbered) == 1 or self._rarity.of(word) is None
        ]
        found = await asyncio.gather(*(self._newest(word, None) for _, word in new))
        met: dict[int, list[Document]] = {}
        for (number, word), rows in zip(new, found, strict=True):
            self._rarity.learn(word, rows)
            met[number] = rows
        number, word = min(numbered, key=lambda one: self._rarity.of(one[1]) or 0)
        return number, met[number] if number in met else await self._newest(word, None)

    async def _newest(self, word: Wanted, after: tuple[datetime, str] | None) -> list[Document]:
        conditions = [_condition(one) for one in word.alternatives]
        return await self._lister.first(conditions, _NEWEST_FIRST, after, self._size)

    async def _shown_before(
        self, word: Wanted, streams: list[str], before: SearchPlace
    ) -> set[str]:
        """Those that were met on an earlier page, by a newer row."""
        newer = [{"at": {"$gt": before.at}}, {"at": before.at, "_id": {"$gte": before.id}}]
        return await self._streams(streams, _any(word.alternatives), {"$or": newer})

    async def _having(self, word: Wanted, streams: list[str]) -> set[str]:
        return await self._streams(streams, _any(word.alternatives))

    async def _streams(self, streams: list[str], *conditions: Document) -> set[str]:
        """Those of them that have a row of which each condition holds.

        An ``$or`` beside the ``$and`` would be gone by first, whatever it finds (160 ms, not 1 ms).
        """
        found = self._rows.find({"c": {"$in": streams}, "$and": list(conditions)}, {"c": 1})
        return {row["c"] async for row in found}


def _condition(one: Alternative) -> Document:
    filters: list[Document] = [{"t": other} for other in one.others]
    if one.beginning is not None:
        filters.append({"p": one.beginning})
    return narrowed({"t": one.token}, *filters)


def _any(alternatives: Sequence[Alternative]) -> Document:
    return {"$or": [_condition(one) for one in alternatives]}
