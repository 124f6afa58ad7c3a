"""The inbox: single conversations and the pages of the tabs, as one member may see them.

Pages are keyset pages by (last activity, id), newest first. Last activity never goes back, so a row
that moves while somebody pages moves to the front: it is never met twice, and a row that does not
move is never skipped.

SecantusDB resolves every match before it sorts or limits (5 µs each), so a page is asked for by a
narrow range of the sort key, which widens until the page is full. Where to begin is remembered for
each list: the newest row seen, and the span of time that filled the last page.

Agents who see the same ask for the same pages all day: those who ask at once share a read.
"""

import asyncio
import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, get_args

import msgspec
from pymongo import DESCENDING

from libs.events.api import Tab
from libs.events.directory import MemberState, Role
from libs.events.visibility import visible_groups
from libs.runtime.bodies import invalid_field
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.mongo import Document
from libs.runtime.sharing import SharedReads
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.state import ConversationState
from services.conversation.publishing import audience_of
from services.conversation.rows import Rows, snapshot_of
from services.conversation.tasks import NotThere
from services.conversation.views import conversation_view

TABS: Final = get_args(Tab)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SPAN: Final = timedelta(seconds=1)
_SHORTEST_SPAN: Final = timedelta(milliseconds=5)
_HINTS: Final = 10_000
_VIEWS: Final = 5_000  # of about 1 kB each
_FIELDS: Final = {"v": 1, "state": 1, "recorded_at": 1, "active_at": 1}
_SEES_EVERYTHING: Final = (Role.OWNER, Role.ADMIN)
_encode: Final = msgspec.json.Encoder().encode


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """After which row a page begins."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class _Hint:
    """Of one list: its newest row, and the span that fills a page; None where all rows fit."""

    newest: datetime
    span: timedelta | None


class Hints:
    """What a process remembers of the lists that were asked for; it only affects speed."""

    def __init__(self) -> None:
        self._hints: OrderedDict[str, _Hint] = OrderedDict()

    def get(self, key: str) -> _Hint | None:
        return self._hints.get(key)

    def put(self, key: str, hint: _Hint) -> None:
        self._hints[key] = hint
        self._hints.move_to_end(key)
        if len(self._hints) > _HINTS:
            self._hints.popitem(last=False)


class EncodedPage(msgspec.Struct, omit_defaults=True):
    """A ``ConversationPage`` whose items are encoded already."""

    items: tuple[msgspec.Raw, ...]
    next: str | None = None


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
        workspace_id: str,
        member: MemberState,
        directory: WorkspaceDirectory,
    ) -> None:
        self._rows = rows
        self._hints = lists.hints
        self._views = lists.views
        self._pages = lists.pages
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

    async def page(self, tab: Tab, cursor: str | None, limit: int) -> bytes:
        """An encoded ``ConversationPage``. Errors: Invalid (the cursor)."""
        after = _place_of(cursor) if cursor else None
        lists = self._lists(tab)
        # The conditions hold all that the member's rights make of the question.
        key = _encode((lists, cursor, limit))
        return await self._pages.get(key, lambda: self._read(lists, after, limit))

    async def _read(
        self, conditions: list[tuple[str, Document]], after: _Place | None, limit: int
    ) -> bytes:
        lists = await asyncio.gather(
            *(self._newest(key, condition, after, limit + 1) for key, condition in conditions)
        )
        rows = sorted(
            (row for rows in lists for row in rows),
            key=lambda row: (row["active_at"], row["_id"]),
            reverse=True,
        )
        items = tuple(self._views.of(row) for row in rows[:limit])
        more = len(rows) > limit
        return _encode(EncodedPage(items, _cursor_of(rows[limit - 1]) if more else None))

    def _lists(self, tab: Tab) -> list[tuple[str, Document]]:
        """The conditions of the lists that a tab unites, each with its name for the hints."""
        me = self._member.member_id
        conditions: dict[Tab, list[Document]] = {
            "new": [{"case_state": "new"}],
            "mine": [{"case_state": "active", "people": me}],
            "others": [{"case_state": "active", "people": {"$ne": me}}],
            "done": [{"case_state": "done"}],
            "all": [{"case_state": state} for state in ("new", "active", "done")],
        }
        visible = self._visible()
        who = me if visible or tab in ("mine", "others") else ""
        return [
            (
                f"{self._workspace_id}/{who}/{tab}/{condition['case_state']}",
                {"workspace": self._workspace_id, **condition, **visible},
            )
            for condition in conditions[tab]
        ]

    def _visible(self) -> Document:
        """The rule of ``libs.events.visibility.may_see`` as a condition on rows."""
        member = self._member
        if member.role in _SEES_EVERYTHING:
            return {}
        groups = [None, *visible_groups(member, self._directory.groups.values())]
        there: Document = {"group": {"$in": groups}}
        if member.location_ids:
            there["location"] = {"$in": list(member.location_ids)}
        return {"$or": [{"people": member.member_id}, there]}

    async def _newest(
        self, key: str, condition: Document, after: _Place | None, wanted: int
    ) -> list[Document]:
        """At most ``wanted`` rows after the place, newest first."""
        hint = self._hints.get(key)
        found: list[Document] = []
        if after is not None:
            ties = {"active_at": after.at, "_id": {"$lt": after.id}}
            found = await self._find({**condition, **ties}, wanted)
        upper = after.at if after else None
        start = after.at if after else hint.newest if hint else datetime.now(UTC)
        span = hint.span if hint else _FIRST_SPAN
        reached = start
        while len(found) < wanted and reached > _EPOCH:
            lower = _EPOCH if span is None else _earlier(start, span)
            bounds: Document = {"$gt": lower} if upper is None else {"$gt": lower, "$lt": upper}
            found += await self._find({**condition, "active_at": bounds}, wanted - len(found))
            # The next range begins with the instant that this one left out.
            upper, reached = lower + timedelta(milliseconds=1), lower
            if span is not None:
                span *= 16 if not found else max(2, min(16, 2 * wanted // len(found)))
        if after is None:
            few = reached <= _EPOCH and len(found) < wanted
            self._hints.put(key, _hint_of(found, few))
        return found

    async def _find(self, condition: Document, limit: int) -> list[Document]:
        order = [("active_at", DESCENDING), ("_id", DESCENDING)]
        found = self._rows.find(condition, _FIELDS, sort=order, limit=limit)
        return await found.to_list()


def _hint_of(found: list[Document], few: bool) -> _Hint:
    if few or not found:
        return _Hint(datetime.now(UTC), None)
    newest, oldest = found[0]["active_at"], found[-1]["active_at"]
    return _Hint(newest, max((newest - oldest) * 1.25, _SHORTEST_SPAN))


def _earlier(start: datetime, span: timedelta) -> datetime:
    return max(start - span, _EPOCH) if span < start - _EPOCH else _EPOCH


def _cursor_of(row: Document) -> str:
    place = msgspec.json.encode(_Place(row["active_at"], row["_id"]))
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _place_of(cursor: str) -> _Place:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = msgspec.json.decode(text, type=_Place)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise invalid_field("cursor", "is not one that was given out here") from error
    if place.at.tzinfo is None:
        raise invalid_field("cursor", "is not one that was given out here")
    return place
