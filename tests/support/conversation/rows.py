"""Inbox rows made at once, without a service, and members who look at them."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from libs.aggregates.aggregate import Snapshot
from libs.events.api.filters import ConversationFilter, Sort, Tab
from libs.events.content import Channel
from libs.events.directory import GroupState, LocationState, MemberState, Role
from libs.runtime.directory import WorkspaceDirectory
from libs.runtime.mongo import Document
from libs.runtime.rows import replacing, write_newer
from services.conversation.domain.conversation.state import Case, ConversationState, Thread
from services.conversation.read_models.inbox.counts import Counts
from services.conversation.read_models.inbox.inbox import Inbox, PageCaches
from services.conversation.read_models.inbox.rows import INBOX, INBOX_INDEXES, inbox_row
from services.conversation.read_models.search.entries import Entries
from services.conversation.read_models.search.index import SEARCH, SEARCH_INDEXES, SearchIndex
from services.conversation.read_models.search.pages import search_page
from services.conversation.read_models.search.query import Search

WORKSPACE = "wsp_1"
START = datetime(2026, 11, 1, tzinfo=UTC)

LOCATIONS = tuple(
    LocationState(location_id=f"loc_{number}", name=f"{number}", time_zone=zone)
    for number, zone in enumerate(("Europe/Kyiv", "UTC", "Asia/Tokyo"))
)
OWNER = MemberState(member_id="mem_owner", name="Olha", email="o@x.example", role=Role.OWNER)
AGENT = MemberState(member_id="mem_agent", name="Dima", email="d@x.example", role=Role.OPERATOR)


def state(
    conversation_id: str,
    at: datetime = START,
    *,
    unread: bool = False,
    flagged: bool = False,
    channel: Channel = Channel.TELEGRAM,
    source_id: str = "src_1",
    **case: Any,
) -> ConversationState:
    """A new case, last active at ``at``; ``case`` is what is different about it."""
    plain = Case(
        case_id=f"{conversation_id}.1",
        number=1,
        state="new",
        location_id="loc_1",
        opened_at=at,
        opened_by="customer",
        recorded_at=at,
    )
    return ConversationState(
        thread=Thread(WORKSPACE, conversation_id, source_id, channel, conversation_id),
        customer_id=f"cus_{conversation_id}",
        customer_name=f"Customer {conversation_id}",
        case=replace(plain, **case),
        active_at=at,
        unread=unread,
        flagged=flagged,
    )


class Made:
    """Rows of one workspace, and the lists as members see them."""

    def __init__(self, database: AsyncDatabase[Document], *groups: GroupState) -> None:
        self.rows = database[INBOX]
        self.caches = PageCaches()
        self.counts = Counts(self.rows)
        self.entries = Entries(bytes(32))
        self.searching = Search(database[SEARCH], self.entries)
        self.index = SearchIndex(database)
        self.directory = WorkspaceDirectory(
            groups={one.group_id: one for one in groups},
            locations={one.location_id: one for one in LOCATIONS},
        )
        self.versions: dict[str, int] = {}

    async def begin(self) -> None:
        await self.rows.create_indexes(list(INBOX_INDEXES))
        await self.rows.database[SEARCH].create_indexes(list(SEARCH_INDEXES))

    async def put(self, *states: ConversationState, recorded_at: datetime = START) -> None:
        """Each as the next version of its conversation."""
        new: list[Document] = []
        for one in states:
            stream = one.thread.conversation_id
            version = self.versions[stream] = self.versions.get(stream, 0) + 1
            row = inbox_row(stream, Snapshot(version, recorded_at, one))
            if version == 1:
                new.append(row)
            else:
                await write_newer(self.rows, [], [row], replacing)
        if new:
            await self.rows.insert_many(new)

    def inbox(self, member: MemberState = OWNER) -> Inbox:
        return Inbox(self.rows, self.caches, WORKSPACE, member, self.directory)

    async def found(
        self,
        words: str,
        filters: ConversationFilter,
        viewer: MemberState = OWNER,
        tab: Tab = "all",
        cursor: str | None = None,
        limit: int = 50,
    ) -> Any:
        """A page of what a search for the words finds."""
        inbox = self.inbox(viewer)
        return msgspec.json.decode(
            await search_page(inbox, self.searching, words, tab, filters, cursor, limit)
        )

    async def page(
        self,
        viewer: MemberState = OWNER,
        tab: Tab = "all",
        sort: Sort = "last_message",
        cursor: str | None = None,
        limit: int = 50,
        **asked: Any,
    ) -> tuple[list[str], str | None]:
        """The ids of one page, and the cursor of the next."""
        filters = msgspec.convert(asked, ConversationFilter)
        encoded = await self.inbox(viewer).page(tab, filters, sort, cursor, limit)
        page = msgspec.json.decode(encoded)
        return [item["conversation_id"] for item in page["items"]], page.get("next")

    async def shown(
        self, viewer: MemberState = OWNER, tab: Tab = "all", limit: int = 50, **asked: Any
    ) -> list[str]:
        """The ids of all pages."""
        shown, cursor = await self.page(viewer, tab, limit=limit, **asked)
        while cursor is not None:
            more, cursor = await self.page(viewer, tab, limit=limit, cursor=cursor, **asked)
            shown += more
        return shown
