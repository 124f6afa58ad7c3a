"""The inbox: single conversations and the pages of its lists, as one member may see them.

Pages are keyset pages. Last activity never goes back, so a row that moves while somebody pages by
it moves to the front: it is never met twice, and a row that does not move is never skipped. In the
other orders a row may also move to where a later page would meet it again; each row knows when it
last did, and one that did since the first page was read is left out of the pages after it, and
comes with the live updates. Whatever else is written to a row, it is met where it stands.

Agents who see the same ask for the same pages all day: those who ask at once share a read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec
from cachetools import LRUCache

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.commands import NotThere
from libs.events.api.filters import ConversationFilter, Sort, Tab
from libs.events.directory import MemberState
from libs.events.registry import Instant
from libs.runtime.cursors import Place, cursor_of, place_of
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows
from libs.runtime.sharing import SharedReads
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.localizer import wrong
from services.conversation.read_models.inbox.queries import InboxQuery, Segment
from services.conversation.read_models.inbox.rows import snapshot_of
from services.conversation.read_models.listing import Hints, Lister, narrowed
from services.conversation.read_models.views import conversation_view

_VIEWS: Final = 5_000  # of about 1 kB each
_FIELDS: Final = {
    **{"v": 1, "state": 1, "recorded_at": 1},
    **{"active_at": 1, "waiting_since": 1, "due_at": 1},
}
encode_page: Final = msgspec.json.Encoder().encode


class _Place(Place, frozen=True):
    """After which row of which segment a page begins; ``since``: when the first page was read."""

    segment: int
    at: Instant
    id: str
    since: Instant


class EncodedPage(msgspec.Struct, omit_defaults=True):
    """A ``ConversationPage`` whose items are encoded already."""

    items: tuple[msgspec.Raw, ...]
    next: str | None = None
    common_words: bool = False


class EncodedViews:
    """The views of rows as they are answered, by id and version: the same ones are asked for by
    every agent, again and again, and a row of a version never changes."""

    def __init__(self) -> None:
        self._encoded: LRUCache[str, tuple[int, msgspec.Raw]] = LRUCache(_VIEWS)

    def of(self, row: Document) -> msgspec.Raw:
        known = self._encoded.get(row["_id"])
        if known is not None and known[0] == row["v"]:
            return known[1]
        view = msgspec.Raw(encode_page(conversation_view(snapshot_of(row))))
        self._encoded[row["_id"]] = (row["v"], view)
        return view


@dataclass(frozen=True, slots=True)
class PageCaches:
    """What a process keeps in memory for all who ask for pages."""

    hints: Hints = field(default_factory=Hints)
    views: EncodedViews = field(default_factory=EncodedViews)
    pages: SharedReads[bytes] = field(default_factory=SharedReads)


class Inbox:
    """One workspace's inbox as one of its members sees it."""

    def __init__(
        self,
        rows: Rows,
        caches: PageCaches,
        workspace_id: str,
        member: MemberState,
        directory: WorkspaceDirectory,
    ) -> None:
        self._rows = rows
        self._caches = caches
        self._lister = Lister(rows, caches.hints, _FIELDS)
        self.workspace_id = workspace_id
        self._member = member
        self._directory = directory

    async def get(self, conversation_id: str) -> Snapshot[ConversationState]:
        """Errors: NotThere (also for what the member may not see)."""
        row = await self._rows.find_one({"_id": conversation_id, "workspace": self.workspace_id})
        if row is None:
            raise NotThere
        snapshot = snapshot_of(row)
        if not self._directory.may_see(self._member, audience_of(snapshot.state)):
            raise NotThere
        return snapshot

    async def important(self) -> int:
        """How many open cases that the member sees are due today or overdue."""
        condition = self.query("important", ConversationFilter()).due()
        key = ("important", repr(condition))
        return int(await self._caches.pages.get(key, lambda: self._count(condition)))

    async def _count(self, condition: Document) -> bytes:
        return str(await self._rows.count_documents(condition)).encode()

    async def page(
        self,
        tab: Tab,
        asked: ConversationFilter,
        sort: Sort,
        cursor: str | None,
        limit: int,
        *,
        of: str = "conversations",
    ) -> bytes:
        """An encoded ``ConversationPage``; ``of``: the list that its cursor is for.

        Errors: Invalid (the cursor).
        """
        segments = self.query(tab, asked).segments(sort)
        bound = (of, tab, sort, filters_of(asked))
        after = place_of(cursor, _Place, *bound) if cursor else None
        if after and not 0 <= after.segment < len(segments):
            raise wrong("cursor", "other-order")
        # The conditions hold all that the member's rights make of the question.
        key = repr((segments, cursor, limit, of))
        return await self._caches.pages.get(key, lambda: self._read(bound, segments, after, limit))

    async def versions(
        self, tab: Tab, asked: ConversationFilter, limit: int
    ) -> list[tuple[str, int]]:
        """Ids and versions of what is asked for, in no order."""
        condition = self.query(tab, asked).condition()
        found = self._rows.find(condition, {"v": 1}, limit=limit)
        return [(row["_id"], row["v"]) for row in await found.to_list()]

    async def among(self, ids: list[str], condition: Document) -> list[Document]:
        """The rows of these conversations that fulfil the condition."""
        found = self._rows.find({"_id": {"$in": ids}, **condition}, _FIELDS)
        return await found.to_list()

    def query(self, tab: Tab, asked: ConversationFilter) -> InboxQuery:
        return InboxQuery(self.workspace_id, self._member, self._directory, tab, asked)

    def items(self, rows: Iterable[Document]) -> tuple[msgspec.Raw, ...]:
        """The rows' encoded views; one that cannot be read spoils no page of the others."""
        items = []
        for row in rows:
            with left_out("inbox row", row["_id"]):
                items.append(self._caches.views.of(row))
        return tuple(items)

    async def _read(
        self,
        bound: Sequence[object],
        segments: Sequence[Segment],
        after: _Place | None,
        limit: int,
    ) -> bytes:
        since = after.since if after else datetime.now(UTC)
        found: list[tuple[int, Document]] = []
        begin = after.segment if after else 0
        for number, segment in enumerate(segments[begin:], begin):
            conditions = segment.conditions
            if after is not None and segment.moved_back is not None:
                stayed: Document = {
                    "$or": [{segment.moved_back: None}, {segment.moved_back: {"$lte": since}}]
                }
                conditions = [narrowed(one, stayed) for one in conditions]
            place = (after.at, after.id) if after and after.segment == number else None
            rows = await self._lister.first(
                conditions, segment.order, place, limit + 1 - len(found)
            )
            found += [(number, row) for row in rows]
            if len(found) > limit:
                break
        following = None
        if len(found) > limit:
            number, last = found[limit - 1]
            at, last_id = segments[number].order.place(last)
            following = cursor_of(_Place(number, at, last_id, since), *bound)
        items = self.items(row for _, row in found[:limit])
        return encode_page(EncodedPage(items, following))


def filters_of(filters: ConversationFilter) -> dict[str, object]:
    """The filters alone, whatever else was asked for beside them."""
    return {name: getattr(filters, name) for name in ConversationFilter.__struct_fields__}
