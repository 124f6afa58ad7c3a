"""From what a member asks for (tab, filters, order) to conditions on the inbox's rows.

Each condition begins with the key (``row_keys.py``) that the fewest rows have; the rest filters.
What a member may see is part of each condition: the rule of ``libs.events.visibility.may_see``.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from libs.events.api.filters import ConversationFilter, Sort, Tab, values_of
from libs.events.directory import LocationState, MemberState, Role
from libs.events.marks import PRIORITIES
from libs.events.visibility import visible_groups
from libs.events.zones import zone_of
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.mongo import Document
from services.conversation.domain.conversation.marks import folded
from services.conversation.domain.conversation.state import CaseState
from services.conversation.read_models.inbox.row_keys import (
    FIRST_STATUS,
    FLAGGED,
    HAS_EMAIL,
    HAS_PHONE,
    UNREAD,
)
from services.conversation.read_models.listing import NEWEST_FIRST, Order, narrowed

_STATES: Final[dict[Tab, tuple[CaseState, ...]]] = {
    "new": ("new",),
    "mine": ("active",),
    "others": ("active",),
    "done": ("done",),
    "all": ("new", "active", "done"),
    "unread": ("new", "active", "done"),
    "important": ("new", "active"),
}
# Those whose key is `name:value`, the most telling first.
_KEYED: Final = (
    *("tag", "component", "reason", "topic", "type", "status"),
    *("customer_tag", "sales_plan", "funnel"),
    *("responsible", "member", "priority", "location"),
)
_TAGS: Final = ("tag", "customer_tag")
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What most rows have is a field of theirs, and no key.
_NO_KEY: Final[Mapping[str, str]] = {"priority": "none", "funnel": FIRST_STATUS}
_ON_THE_CARD: Final = (("has_phone", HAS_PHONE), ("has_email", HAS_EMAIL))
_SEES_EVERYTHING: Final = (Role.OWNER, Role.ADMIN)
# A member of more locations asks one list and leaves out the others' rows.
_LOCATIONS_ASKED_EACH: Final = 8
_LONGEST_WAITING: Final = Order("waiting_since")
_SOONEST_DUE: Final = Order("due_at")


# Of one filter: a row has any of them.
type Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """Lists that are united in one order. A page goes on in the next segment where one ends.

    ``moved_back``: the row's field that says when it last went towards the end of the whole list;
    None where rows only ever go to its beginning.
    """

    order: Order
    conditions: Sequence[Document]
    moved_back: str | None = None


class InboxQuery:
    """What one member asks for."""

    def __init__(
        self,
        workspace_id: str,
        member: MemberState,
        directory: WorkspaceDirectory,
        tab: Tab,
        asked: ConversationFilter,
    ) -> None:
        self._workspace_id = workspace_id
        self._workspace = {"workspace": workspace_id}
        self._me = member.member_id
        self._locations = directory.locations
        self._tab = tab
        self._there = _there(member, directory)
        self._states = [
            state for state in _STATES[tab] if asked.open in (None, state in ("new", "active"))
        ]
        if tab == "unread" and asked.unread is False:
            self._states = []
        self._keyed = list(_keyed(asked, self._me if tab == "mine" else None))
        self._unread = asked.unread if tab != "unread" else True
        self._plain = _plain(asked)
        if tab == "others":
            self._plain.append({"people": {"$ne": self._me}})

    @property
    def excludes_all(self) -> bool:
        """Whether the tab and the filters exclude each other, as Done and ``open`` do."""
        return not self._states

    def segments(self, sort: Sort) -> list[Segment]:
        """None where nothing can be met."""
        if self.excludes_all:
            return []
        if self._tab == "important":
            return [Segment(_SOONEST_DUE, [self.due()], "moved_back.due")]
        match sort:
            case "waiting":
                answered, moved = {"waiting_since": None}, "moved_back.waiting"
                return [
                    Segment(_LONGEST_WAITING, self._by_state(), moved),
                    Segment(NEWEST_FIRST, self._lists(answered), moved),
                ]
            case "priority":
                levels = [(f"priority:{one}",) for one in reversed(PRIORITIES) if one != "none"]
                moved = "moved_back.priority"
                return [
                    *(Segment(NEWEST_FIRST, self._by_keys([level]), moved) for level in levels),
                    Segment(NEWEST_FIRST, self._lists({"priority": "none"}), moved),
                ]
            case "last_message":
                return [Segment(NEWEST_FIRST, self._lists())]

    def due(self) -> Document:
        """What is due before the day ends."""
        return narrowed(
            {"due_in": self._workspace_id, "due_at": {"$gt": _LONG_AGO}},
            self._due_today(),
            {"case_state": {"$in": list(self._states)}},
            *self._filters(),
        )

    def condition(self) -> Document:
        """That a row is among what is asked for and the member may see it, whatever its place."""
        if self._tab == "important":
            return self.due()
        return self._and({"case_state": {"$in": list(self._states)}}, self._filters())

    def beside(self) -> Document:
        """As ``condition``, for rows that are found by their ids.

        Of a plain condition SecantusDB resolves all that an index has of it, of one that is denied
        twice nothing: 31 rows cost it 1.7 ms instead of 5.3 (100,000 rows), of Important 0.8
        instead of 8.
        """
        plain: Document = {
            "workspace": {"$not": {"$ne": self._workspace_id}},
            "case_state": {"$not": {"$nin": list(self._states)}},
        }
        if self._tab != "important":
            return narrowed(plain, *self._filters())
        return narrowed(
            plain | {"due_in": {"$not": {"$ne": self._workspace_id}}},
            self._due_today(),
            *self._filters(),
        )

    def _due_today(self) -> Document:
        """The day ends in each time zone at its own hour."""
        ends = days_end(self._locations, datetime.now(UTC))
        today = [
            {"due_at": {"$lt": end}, "location": {"$in": sorted(locations)}}
            for end, locations in sorted(ends.items())
        ]
        # Without a location nothing is due anywhere, and an empty $or is refused.
        return {"$or": today} if today else {"location": {"$in": []}}

    def _filters(self) -> list[Document]:
        return [
            *self._by_any_state(),
            *self._unread_or_read(),
            *self._visible(),
            *self._plain,
        ]

    def _lists(self, *besides: Document) -> list[Document]:
        """By the keys of the index that begins with them."""
        if self._keyed:
            return self._by_keys([], *besides)
        unread_alone = self._unread and len(self._states) == len(_STATES["unread"])
        heads = [UNREAD] if unread_alone else list(self._states)
        rest = [*besides, *self._plain, *([] if unread_alone else self._unread_or_read())]
        return [
            self._and({"keys": key}, [*visible, *rest])
            for head in heads
            for key, visible in self._visible_keys(head)
        ]

    def _by_keys(self, more: Sequence[Keys], *besides: Document) -> list[Document]:
        keyed = [*more, *self._keyed]
        first, others = keyed[0], keyed[1:]
        rest = [*self._unread_or_read(), *self._visible(), *besides, *self._plain]
        return [
            self._and({"keys": f"{state}/{key}"}, [*(_in([state], one) for one in others), *rest])
            for state in self._states
            for key in first
        ]

    def _by_state(self) -> list[Document]:
        rest = [*self._unread_or_read(), *self._visible(), *self._plain]
        return [
            self._and({"case_state": state}, [*(_in([state], one) for one in self._keyed), *rest])
            for state in self._states
        ]

    def _by_any_state(self) -> list[Document]:
        return [_in(self._states, one) for one in self._keyed]

    def _visible_keys(self, head: str) -> Iterator[tuple[str, list[Document]]]:
        """Keys that together have all that the member may see, each with what is to be left out."""
        there = self._there
        if there is None:
            yield head, []
            return
        groups = {"group": {"$in": there.groups}}
        if 0 < len(there.locations) <= _LOCATIONS_ASKED_EACH:
            for location_id in there.locations:
                yield f"{head}/location:{location_id}", [groups]
        else:
            yield head, [there.condition()]
        if self._tab != "others":
            yield f"{head}/member:{self._me}", []

    def _visible(self) -> list[Document]:
        if self._there is None:
            return []
        return [{"$or": [{"people": self._me}, self._there.condition()]}]

    def _unread_or_read(self) -> list[Document]:
        if self._unread is None:
            return []
        return [{"keys": UNREAD if self._unread else {"$ne": UNREAD}}]

    def _and(self, first: Document, rest: Sequence[Document]) -> Document:
        return narrowed({**self._workspace, **first}, *rest)


def days_end(locations: Mapping[str, LocationState], now: datetime) -> dict[datetime, list[str]]:
    """When today ends, and at which locations it does then."""
    ends: dict[datetime, list[str]] = defaultdict(list)
    for location_id, location in locations.items():
        zone = zone_of(location.time_zone)
        tomorrow = now.astimezone(zone).date() + timedelta(days=1)
        end = datetime.combine(tomorrow, time(), zone)
        ends[end.astimezone(UTC)].append(location_id)
    return ends


@dataclass(frozen=True, slots=True)
class _There:
    """What a member sees without being part of it. No ``locations``: all of them."""

    locations: list[str]
    groups: list[str | None]

    def condition(self) -> Document:
        there: Document = {"group": {"$in": self.groups}}
        return {**there, "location": {"$in": self.locations}} if self.locations else there


def _there(member: MemberState, directory: WorkspaceDirectory) -> _There | None:
    if member.role in _SEES_EVERYTHING:
        return None
    groups = sorted(visible_groups(member, directory.groups.values()))
    return _There(sorted(member.location_ids), [None, *groups])


def _in(states: Sequence[str], keys: Keys) -> Document:
    """That a row has any of the keys, with any of the states."""
    found = [f"{state}/{key}" for state in states for key in keys]
    return {"keys": found[0] if len(found) == 1 else {"$in": found}}


def _keyed(asked: ConversationFilter, mine: str | None) -> Iterator[Keys]:
    if mine is not None:
        yield (f"member:{mine}",)
    if asked.flagged:
        yield (FLAGGED,)
    for name, key in _ON_THE_CARD:
        if getattr(asked, name):
            yield (key,)
    for name in _KEYED:
        values = values_of(asked, name)
        if values and _NO_KEY.get(name) not in values:
            if name in _TAGS:
                values = tuple(dict.fromkeys(map(folded, values)))
            kind = "member" if name == "responsible" else name
            yield tuple(f"{kind}:{value}" for value in values)


def _plain(asked: ConversationFilter) -> list[Document]:
    """The filters that have no key of their own."""
    plain: list[Document] = []
    for name in ("group", "source", "channel", "responsible", "priority", "funnel"):
        values = values_of(asked, name)
        if values and (name not in _NO_KEY or _NO_KEY[name] in values):
            plain.append({name: values[0] if len(values) == 1 else {"$in": list(values)}})
    if asked.flagged is False:
        plain.append({"flagged": False})
    plain += [{name: False} for name, _ in _ON_THE_CARD if getattr(asked, name) is False]
    if asked.answered is not None:
        plain.append({"waiting_since": None if asked.answered else {"$ne": None}})
    for name in ("active", "opened"):
        bounds = {
            operator: value
            for operator, end in (("$gte", "from"), ("$lt", "to"))
            if (value := getattr(asked, f"{name}_{end}")) is not None
        }
        if bounds:
            plain.append({f"{name}_at": bounds})
    return plain
