"""Lists of rows in an order, read a page at a time.

SecantusDB resolves every match before it sorts or limits (5 µs each), so a page is asked for by a
narrow range of the sort key, which widens until the page is full. Where to begin is remembered for
each list: its first row, and the span of time that filled the last page. Conditions are such that
the server finds the index by itself: of one that is named, SecantusDB resolves all.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pymongo import ASCENDING, DESCENDING

from libs.runtime.mongo import Document
from services.conversation.rows import Rows

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_FIRST_SPAN: Final = timedelta(seconds=1)
_SHORTEST_SPAN: Final = timedelta(milliseconds=5)
_RARE: Final = timedelta(days=30)
_HINTS: Final = 10_000
_STEP: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Order:
    """By an instant of the row, then by id, both in the same direction. Rows without the instant
    are not in the list; nor are, in an ascending one, those after ``until``."""

    field: Literal["active_at", "waiting_since", "due_at", "at"]
    descending: bool = False
    until: datetime = _LAST

    def place(self, row: Document) -> tuple[datetime, str]:
        return row[self.field], row["_id"]


NEWEST_FIRST: Final = Order("active_at", descending=True)


def narrowed(condition: Document, *filters: Document) -> Document:
    """``condition`` is what an index is ranged over, ``filters`` are put to what is found there.

    Each filter is an ``$or`` of one: a server that sees through it loses nothing, and SecantusDB,
    given a plain condition on a field that the index has not, leaves the range for the whole list
    (100 ms instead of 1.5 ms for 30 of 5,000 rows).
    """
    if not filters:
        return condition
    wrapped = [{"$or": [one]} for one in filters]
    return {**condition, "$and": [*condition.get("$and", ()), *wrapped]}


@dataclass(frozen=True, slots=True)
class _Hint:
    """Of one list: its first row, and the span that fills a page; None where all rows fit."""

    first: datetime
    span: timedelta | None


class Hints:
    """What a process remembers of the lists that were asked for; it only affects speed."""

    def __init__(self) -> None:
        self._hints: OrderedDict[Hashable, _Hint] = OrderedDict()

    def get(self, key: Hashable) -> _Hint | None:
        return self._hints.get(key)

    def put(self, key: Hashable, hint: _Hint) -> None:
        self._hints[key] = hint
        self._hints.move_to_end(key)
        if len(self._hints) > _HINTS:
            self._hints.popitem(last=False)


class Lister:
    """Reads lists of one collection. ``fields``: the projection. ``first_span``: how far the first
    range of a list goes of which nothing is known."""

    def __init__(
        self, rows: Rows, hints: Hints, fields: Document, first_span: timedelta = _FIRST_SPAN
    ) -> None:
        self._rows = rows
        self._hints = hints
        self._fields = fields
        self._first_span = first_span

    async def first(
        self,
        conditions: Sequence[Document],
        order: Order,
        after: tuple[datetime, str] | None,
        wanted: int,
    ) -> list[Document]:
        """At most ``wanted`` rows after the place, in order, that any of the conditions holds for.

        All are asked in one: each then has the range, so that each is a range of the index.
        """
        found: list[Document] = []
        key = (repr(conditions), order.field)
        hint = self._hints.get(key)
        if after is not None:
            beyond = {"_id": {"$lt" if order.descending else "$gt": after[1]}}
            ties = [narrowed({**one, order.field: after[0]}, beyond) for one in conditions]
            found = await self._find(ties, order, wanted)
        edge = after[0] if after else None
        start, span = self._beginning(order, edge, hint)
        end = _FIRST if order.descending else order.until
        reached = start
        while len(found) < wanted and (reached > end if order.descending else reached < end):
            reach = end if span is None else _moved(start, span, end)
            bounds = _bounds(order, edge, reach)
            ranges = [{**one, order.field: bounds} for one in conditions]
            found += await self._find(ranges, order, wanted - len(found))
            # The next range begins with the instant that this one left out.
            edge, reached = (reach + _STEP if order.descending else reach - _STEP), reach
            if span is not None:
                span = _longer(span, len(found), wanted)
        if after is None:
            self._hints.put(key, _hint_of(order, found, len(found) < wanted))
        return found

    def _beginning(
        self, order: Order, edge: datetime | None, hint: _Hint | None
    ) -> tuple[datetime, timedelta | None]:
        """Where the first range begins, and how long it is; None: to the end."""
        if edge is not None:
            return edge, hint.span if hint else self._first_span
        if hint is not None:
            return hint.first, hint.span
        return (datetime.now(UTC), self._first_span) if order.descending else (_FIRST, None)

    async def _find(
        self, conditions: Sequence[Document], order: Order, limit: int
    ) -> list[Document]:
        condition = conditions[0] if len(conditions) == 1 else {"$or": list(conditions)}
        direction = DESCENDING if order.descending else ASCENDING
        found = self._rows.find(
            condition,
            self._fields,
            sort=[(order.field, direction), ("_id", direction)],
            limit=limit,
        )
        return await found.to_list()


def _bounds(order: Order, edge: datetime | None, reach: datetime) -> Document:
    inner, outer = ("$lt", "$gt") if order.descending else ("$gt", "$lt")
    return {outer: reach} if edge is None else {outer: reach, inner: edge}


def _longer(span: timedelta, found: int, wanted: int) -> timedelta | None:
    """The next range where the last had so few. None, to the end: of what is so rare there is
    little."""
    if found:
        return span * max(2, min(16, 2 * wanted // found))
    return span * 64 if span < _RARE else None


def _moved(start: datetime, span: timedelta, end: datetime) -> datetime:
    """A span further towards the end, and not past it."""
    if span >= abs(end - start):
        return end
    return start + span if end > start else start - span


def _hint_of(order: Order, found: Sequence[Document], few: bool) -> _Hint:
    if few or not found:
        return _Hint(datetime.now(UTC) if order.descending else _FIRST, None)
    first, last = found[0][order.field], found[-1][order.field]
    return _Hint(first, max(abs(first - last) * 1.25, _SHORTEST_SPAN))
