"""How many conversations each tab has, exactly, for each member; see decision 9.

Nobody counts rows when asked: SecantusDB would look at each of them. A process keeps, for the
workspaces whose counts are asked for, where each conversation is (state, location, group, people)
and how many there are of each kind. It begins with one pass over the workspace's rows and follows
from then on: its own writes at once, the other replicas' by their events. Every row and event has
the stream's version, and only what is newer counts, so the pass and what happens during it agree.

About 200 bytes a conversation are kept; a workspace that nobody asked for in a while is forgotten.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from itertools import batched
from typing import Final

import msgspec

from libs.aggregates.aggregate import Snapshot
from libs.events.api.filters import ConversationCounts
from libs.events.conversation.case import Audience, ConversationEvent
from libs.events.conversation.message import MessageWithheld
from libs.events.directory import MemberState
from libs.events.envelope import InvalidEnvelope, read_envelope, sequence_in
from libs.events.registry import InvalidBody, UnknownType
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.follower import Offsets
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows
from libs.runtime.streams import Record
from services.conversation.domain.conversation.state import ConversationState

_FIELDS: Final = {
    **{"v": 1, "case_state": 1, "unread": 1},
    **{"location": 1, "group": 1, "people": 1},
}
_SHOWN: Final = ("new", "active", "done")
_UNREAD: Final = "unread"
_KEPT_SECONDS: Final = 3600.0
_KEPT_WORKSPACES: Final = 1_000
_BATCH: Final = 1_000


class _Where(msgspec.Struct, frozen=True, gc=False):
    """What decides in whose counts a conversation is. Few are different, so they are shared."""

    state: str
    unread: bool
    location: str
    group: str | None
    people: tuple[str, ...]

    def tallies(self) -> Iterator[tuple[str, str, str | None]]:
        if self.state in _SHOWN:
            yield self.state, self.location, self.group
            if self.unread:
                yield _UNREAD, self.location, self.group


class _Workspace:
    """Where the conversations of one workspace are, and how many of each kind."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.loaded: asyncio.Task[None] | None = None
        # Where only the row tells what happened.
        self.unclear: set[str] = set()
        self._known: dict[str, tuple[int, _Where]] = {}
        self._shared: dict[_Where, _Where] = {}
        self._all: Counter[tuple[str, str, str | None]] = Counter()
        self._of: dict[str, Counter[tuple[str, str, str | None]]] = {}

    def version_of(self, conversation_id: str) -> int:
        known = self._known.get(conversation_id)
        return known[0] if known else 0

    def put(self, conversation_id: str, version: int, where: _Where) -> None:
        before = self._known.get(conversation_id)
        if before is not None:
            if before[0] >= version:
                return
            if before[1] != where:
                self._count(before[1], -1)
        where = self._shared.setdefault(where, where)
        if before is None or before[1] != where:
            self._count(where, 1)
        self._known[conversation_id] = (version, where)

    def counts(
        self, member: MemberState, directory: WorkspaceDirectory, important: int
    ) -> ConversationCounts:
        own = self._of.get(member.member_id, Counter())
        visible: Counter[str] = Counter()
        mine = 0
        for (tally, location, group), number in self._all.items():
            audience = Audience(location_id=location, group_id=group)
            if directory.may_see(member, audience):
                visible[tally] += number
        for (tally, location, group), number in own.items():
            audience = Audience(location_id=location, group_id=group)
            mine += number if tally == "active" else 0
            if not directory.may_see(member, audience):
                visible[tally] += number
        return ConversationCounts(
            new=visible["new"],
            mine=mine,
            others=visible["active"] - mine,
            done=visible["done"],
            all=sum(visible[state] for state in _SHOWN),
            unread=visible[_UNREAD],
            important=important,
        )

    def _count(self, where: _Where, number: int) -> None:
        for tally in where.tallies():
            _add(self._all, tally, number)
            for member_id in where.people:
                _add(self._of.setdefault(member_id, Counter()), tally, number)


class Counts:
    """Of all workspaces that are asked for."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._workspaces: OrderedDict[str, _Workspace] = OrderedDict()

    async def of(
        self,
        workspace_id: str,
        member: MemberState,
        directory: WorkspaceDirectory,
        important: int = 0,
    ) -> ConversationCounts:
        """What the member sees in each tab. ``important`` are counted elsewhere: what is due today
        changes by the hour, and is little. Errors: the driver's."""
        workspace = self._workspaces.get(workspace_id)
        if workspace is None or time.monotonic() - workspace.begun > _KEPT_SECONDS:
            workspace = self._workspaces[workspace_id] = _Workspace()
            workspace.loaded = asyncio.create_task(self._load(workspace_id, workspace))
        self._workspaces.move_to_end(workspace_id)
        if len(self._workspaces) > _KEPT_WORKSPACES:
            self._workspaces.popitem(last=False)
        if workspace.loaded is not None:
            await asyncio.shield(workspace.loaded)
        if workspace.unclear:
            await self._look(workspace_id, workspace)
        return workspace.counts(member, directory, important)

    def wrote(self, snapshots: Mapping[str, Snapshot[ConversationState]]) -> None:
        """This process has written the rows of these states."""
        for conversation_id, snapshot in snapshots.items():
            state = snapshot.state
            workspace = self._workspaces.get(state.thread.workspace_id)
            if workspace is not None:
                case = state.case
                people = tuple(dict.fromkeys(case.people))
                where = _Where(case.state, state.unread, case.location_id, case.group_id, people)
                workspace.put(conversation_id, snapshot.version, where)

    def take(self, record: Record) -> None:
        """An event, perhaps of another replica. What is known already costs no decoding."""
        headers = dict(record.headers)
        workspace = self._workspaces.get(_text(headers.get("ce_workspace")))
        subject = _text(headers.get("ce_subject"))
        if workspace is None:
            return
        try:
            if workspace.version_of(subject) >= sequence_in(record.headers):
                return
            envelope = read_envelope(record.key, record.headers, record.value)
        except (InvalidEnvelope, InvalidBody, UnknownType):
            # Perhaps a newer version's, which has written the row before.
            workspace.unclear.add(subject)
            return
        body = envelope.body
        if isinstance(body, ConversationEvent):
            people = body.audience_after.member_ids if body.audience_after else ()
            case = body.case
            where = _Where(
                case.state,
                case.unread,
                case.location_id,
                case.group_id,
                tuple(dict.fromkeys(people)),
            )
            workspace.put(envelope.subject, envelope.sequence, where)
        elif isinstance(body, MessageWithheld) and envelope.sequence == 1:
            # A blocked customer's first thread: among those done, in a case that is nobody's.
            where = _Where("done", False, body.location_id, None, ())
            workspace.put(envelope.subject, envelope.sequence, where)

    def began(self, _offsets: Offsets) -> None:
        """Events may be gone unread: all begins anew when it is asked for."""
        self._workspaces.clear()

    async def _load(self, workspace_id: str, workspace: _Workspace) -> None:
        try:
            query = {"workspace": workspace_id, "case_state": {"$in": list(_SHOWN)}}
            async for row in self._rows.find(query, _FIELDS, batch_size=_BATCH):
                with left_out("inbox row", row["_id"]):
                    workspace.put(row["_id"], row["v"], _where(row))
        except BaseException:
            if self._workspaces.get(workspace_id) is workspace:
                del self._workspaces[workspace_id]
            raise
        workspace.loaded = None

    async def _look(self, workspace_id: str, workspace: _Workspace) -> None:
        """At the rows of those of which it is unclear where they are."""
        unclear, workspace.unclear = workspace.unclear, set()
        try:
            for some in batched(unclear, _BATCH):
                query = {"_id": {"$in": list(some)}, "workspace": workspace_id}
                async for row in self._rows.find(query, _FIELDS):
                    with left_out("inbox row", row["_id"]):
                        workspace.put(row["_id"], row["v"], _where(row))
        except BaseException:
            workspace.unclear |= unclear
            raise


def _where(row: Document) -> _Where:
    people = tuple(dict.fromkeys(row["people"]))
    return _Where(row["case_state"], row["unread"], row["location"], row["group"], people)


def _add(
    counter: Counter[tuple[str, str, str | None]], tally: tuple[str, str, str | None], number: int
) -> None:
    counter[tally] += number
    if not counter[tally]:
        del counter[tally]


def _text(header: bytes | None) -> str:
    return (header or b"").decode("utf-8", "replace")
