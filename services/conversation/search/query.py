"""Finding conversations by words: each word in what is written there, or in what it is called by.

The rarest word's rows are gone through, newest first, by ranges of time (see ``listing.py``), the
other words are a filter. How rare a word is, is learnt from the searches before. A search looks at
a bounded number of rows; where the page is not full by then, its cursor says where to go on.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from libs.runtime.cursors import Instants
from libs.runtime.mongo import Document
from services.conversation.listing import Hints, Lister, Order, narrowed
from services.conversation.rows import Rows
from services.conversation.search.entries import Entries
from services.conversation.search.tokens import Alternative, Wanted
from services.conversation.telling import wrong

# No query names its index: SecantusDB then goes through all of it (seconds instead of 1 ms).
_NEWEST_FIRST: Final = Order("at", descending=True)
_FIELDS: Final = {"c": 1, "at": 1, "t": 1, "p": 1}
# A word that is in most texts fills a page within it; of a rare one the range widens quickly.
_FIRST_SPAN: Final = timedelta(minutes=1)
_LOOKED_AT: Final = 60
_ROUNDS: Final = 12
_RARITIES: Final = 20_000


class Rarity:
    """How many rows a day the words had that were looked for; it only affects speed."""

    def __init__(self) -> None:
        self._a_day: OrderedDict[str, float] = OrderedDict()

    def learn(self, word: str, rows: Sequence[Document]) -> None:
        days = 0.0
        if rows:
            days = (rows[0]["at"] - rows[-1]["at"]).total_seconds() / 86_400
        self._a_day[word] = len(rows) / max(days, 0.001)
        self._a_day.move_to_end(word)
        if len(self._a_day) > _RARITIES:
            self._a_day.popitem(last=False)

    def of(self, word: Wanted) -> tuple[float, int]:
        """Lower is rarer. Of a word never looked for, only its length is known."""
        return self._a_day.get(word.text, 0.0), -len(word.text)


class Search:
    """Looks in the rows of all workspaces: a token is its workspace's."""

    def __init__(self, rows: Rows, entries: Entries) -> None:
        self._rows = rows
        self._entries = entries
        self._lister = Lister(rows, Hints(), _FIELDS, first_span=_FIRST_SPAN)
        self._rarity = Rarity()

    async def looking(self, workspace_id: str, query: str, after: Instants | None) -> "Looking":
        """Errors: Invalid (a query without a word)."""
        wanted = await asyncio.to_thread(self._entries.tokens(workspace_id).wanted, query)
        if not wanted:
            raise wrong("q", "no-word")
        return Looking(self._rows, self._lister, self._rarity, wanted, after)


class Looking:
    """One search under way."""

    def __init__(
        self,
        rows: Rows,
        lister: Lister,
        rarity: Rarity,
        wanted: Sequence[Wanted],
        after: Instants | None,
    ) -> None:
        self._rows = rows
        self._lister = lister
        self._rarity = rarity
        self._first = min(wanted, key=rarity.of)
        self._others = [word for word in wanted if word is not self._first]
        self._conditions = [_condition(one) for one in self._first.alternatives]
        self._before = after
        self._place = (after.at, after.id) if after else None
        self._seen: set[str] = set()
        self._rounds = 0

    @property
    def is_over(self) -> bool:
        return self._rounds < 0

    @property
    def is_tired(self) -> bool:
        """It has looked at as many rows as one request may."""
        return self._rounds >= _ROUNDS

    @property
    def place(self) -> Instants | None:
        """Up to where it has looked."""
        return Instants(*self._place) if self._place else self._before

    async def more(self) -> list[tuple[str, Instants]]:
        """Conversations not met before that every word is in, newest first, each with its place."""
        rows = await self._lister.first(self._conditions, _NEWEST_FIRST, self._place, _LOOKED_AT)
        if self._rounds == 0 and self._before is None:
            self._rarity.learn(self._first.text, rows)
        self._rounds += 1
        if len(rows) < _LOOKED_AT:
            self._rounds = -1
        if not rows:
            return []
        self._place = _NEWEST_FIRST.place(rows[-1])
        newest: dict[str, Document] = {}
        for row in rows:
            if row["c"] not in self._seen:
                newest.setdefault(row["c"], row)
        self._seen.update(newest)
        if self._before is not None and newest:
            for shown in await self._shown_before(list(newest), self._before):
                newest.pop(shown, None)
        for word in self._others:
            newest = await self._with(word, rows, newest)
        return [(stream, Instants(row["at"], row["_id"])) for stream, row in newest.items()]

    async def _shown_before(self, streams: list[str], before: Instants) -> set[str]:
        """Those that were met on an earlier page, by a newer row."""
        found = self._rows.find(
            {
                "c": {"$in": streams},
                "$and": [_any(self._first.alternatives)],
                "$or": [{"at": {"$gt": before.at}}, {"at": before.at, "_id": {"$gte": before.id}}],
            },
            {"c": 1},
        )
        return {row["c"] async for row in found}

    async def _with(
        self, word: Wanted, rows: Sequence[Document], newest: dict[str, Document]
    ) -> dict[str, Document]:
        """Those that have the word too, in the same row or in another."""
        holding = {
            row["c"]
            for row in rows
            if any(one.holds(row["t"], row.get("p", ())) for one in word.alternatives)
        }
        asked = [stream for stream in newest if stream not in holding]
        if asked:
            found = self._rows.find(
                {"c": {"$in": asked}, "$and": [_any(word.alternatives)]},
                {"c": 1},
            )
            holding |= {row["c"] async for row in found}
        return {stream: row for stream, row in newest.items() if stream in holding}


def _condition(one: Alternative) -> Document:
    if one.beginning is None:
        return {"t": one.token}
    return narrowed({"t": one.token}, {"p": one.beginning})


def _any(alternatives: Sequence[Alternative]) -> Document:
    return {"$or": [_condition(one) for one in alternatives]}
