"""The inbox: single conversations and the pages of its lists, as one member may see them.

Pages are keyset pages. Last activity never goes back, so a row that moves while somebody pages by
it moves to the front: it is never met twice, and a row that does not move is never skipped. In the
other orders a row may also move to where a later page would meet it again; each row knows when it
last did, and one that did since the first page was read is left out of the pages after it, and
comes with the live updates. Whatever else is written to a row, it is met where it stands.

Agents who see the same ask for the same pages all day: those who ask at once share a read.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import Final

import msgspec

from libs.events.api.filters import ConversationFilter, Sort, Tab
from libs.events.directory import MemberState
from libs.events.registry import Instant
from libs.runtime.cursors import Place, cursor_of, place_of
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.sharing import SharedReads
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.localizer import wrong
from services.conversation.publishing.conversations import audience_of
from services.conversation.read_models.inbox.queries import Question, Segment
from services.conversation.read_models.listing import Hints, Lister, narrowed
from services.conversation.read_models.rows import Rows, snapshot_of
from services.conversation.read_models.search.query import Search, SearchPlace
from services.conversation.read_models.views import conversation_view
from services.conversation.tasks import NotThere

_VIEWS: Final = 5_000  # of about 1 kB each
_FIELDS: Final = {
    **{"v": 1, "state": 1, "recorded_at": 1},
    **{"active_at": 1, "waiting_since": 1, "due_at": 1},
}
_encode: Final = msgspec.json.Encoder().encode


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
        self._encoded: OrderedDict[str, tuple[int, msgspec.Raw]] = OrderedDict()

    def of(self, row: Document) -> msgspec.Raw:
        known = self._encoded.get(row["_id"])
        if known is not None and known[0] == row["v"]:
            return known[1]
        view = msgspec.Raw(_encode(conversation_view(snapshot_of(row))))
        self._encoded[row["_id"]] = (row["v"], view)
        self._encoded.move_to_end(row["_id"])
        if len(self._encoded) > _VIEWS:
            self._encoded.popitem(last=False)
        return view


@dataclass(frozen=True, slots=True)
class Lists:
    """What a process keeps for all who ask for pages."""

    hints: Hints = field(default_factory=Hints)
    views: EncodedViews = field(default_factory=EncodedViews)
    pages: SharedReads[bytes] = field(default_factory=SharedReads)


class Inbox:
    """One workspace's inbox as one of its members sees it."""

    def __init__(
        self,
        rows: Rows,
        lists: Lists,
        search: Search,
        workspace_id: str,
        member: MemberState,
        directory: WorkspaceDirectory,
    ) -> None:
        self._rows = rows
        self._lists = lists
        self._search = search
        self._lister = Lister(rows, lists.hints, _FIELDS)
        self._workspace_id = workspace_id
        self._member = member
        self._directory = directory

    async def get(self, conversation_id: str) -> Snapshot[ConversationState]:
        """Errors: NotThere (also for what the member may not see)."""
        row = await self._rows.find_one({"_id": conversation_id, "workspace": self._workspace_id})
        if row is None:
            raise NotThere
        snapshot = snapshot_of(row)
        if not self._directory.may_see(self._member, audience_of(snapshot.state)):
            raise NotThere
        return snapshot

    async def important(self) -> int:
        """How many open cases that the member sees are due today or overdue."""
        condition = self._question("important", ConversationFilter()).due()
        key = ("important", repr(condition))
        return int(await self._lists.pages.get(key, lambda: self._count(condition)))

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
        segments = self._question(tab, asked).segments(sort)
        bound = (of, tab, sort, _asked(asked))
        after = place_of(cursor, _Place, *bound) if cursor else None
        if after and not 0 <= after.segment < len(segments):
            raise wrong("cursor", "other-order")
        # The conditions hold all that the member's rights make of the question.
        key = repr((segments, cursor, limit, of))
        return await self._lists.pages.get(key, lambda: self._read(bound, segments, after, limit))

    async def search(
        self, query: str, tab: Tab, asked: ConversationFilter, cursor: str | None, limit: int
    ) -> bytes:
        """An encoded ``ConversationPage``: where the query's words are, the newest first.

        A page may have fewer than ``limit`` and a next one all the same. Errors: Invalid (the
        cursor, or a query without a word).
        """
        bound = ("search", query, tab, _asked(asked))
        after = place_of(cursor, SearchPlace, *bound) if cursor else None
        looking = await self._search.looking(self._workspace_id, query, after)
        question = self._question(tab, asked)
        if question.excludes_all:
            return _encode(EncodedPage((), None, looking.is_common))
        condition = question.beside()
        found: list[tuple[Document, SearchPlace]] = []
        while len(found) <= limit and not (looking.is_over or looking.is_tired):
            # No more than fill a page are opened at once: of most, all may be seen.
            for some in batched(await looking.more(), limit + 1):
                places = dict(some)
                by_id = {row["_id"]: row for row in await self._among(list(places), condition)}
                found += [(by_id[one], place) for one, place in some if one in by_id]
                if len(found) > limit:
                    break
        following = None
        if len(found) > limit:
            following = cursor_of(found[limit - 1][1], *bound)
        elif not looking.is_over and looking.place is not None:
            following = cursor_of(looking.place, *bound)
        items = self._items(row for row, _ in found[:limit])
        return _encode(EncodedPage(items, following, looking.is_common))

    async def versions(
        self, tab: Tab, asked: ConversationFilter, limit: int
    ) -> list[tuple[str, int]]:
        """Ids and versions of what is asked for, in no order."""
        condition = self._question(tab, asked).condition()
        found = self._rows.find(condition, {"v": 1}, limit=limit)
        return [(row["_id"], row["v"]) for row in await found.to_list()]

    async def _among(self, ids: list[str], condition: Document) -> list[Document]:
        found = self._rows.find({"_id": {"$in": ids}, **condition}, _FIELDS)
        return await found.to_list()

    def _question(self, tab: Tab, asked: ConversationFilter) -> Question:
        return Question(self._workspace_id, self._member, self._directory, tab, asked)

    def _items(self, rows: Iterable[Document]) -> tuple[msgspec.Raw, ...]:
        """One that cannot be read spoils no page of the others."""
        items = []
        for row in rows:
            with left_out("inbox row", row["_id"]):
                items.append(self._lists.views.of(row))
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
        items = self._items(row for _, row in found[:limit])
        return _encode(EncodedPage(items, following))


def _asked(filters: ConversationFilter) -> dict[str, object]:
    """The filters alone, whatever else was asked for beside them."""
    return {name: getattr(filters, name) for name in ConversationFilter.__struct_fields__}
