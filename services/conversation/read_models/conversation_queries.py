"""One conversation, its timeline and its log, now or as they were, as one member may see them."""

from datetime import datetime

from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.events.api import ConversationView, TimelinePage
from libs.events.api.audit import AuditPage, ChainState
from libs.eventstore.store import AsyncEventStore
from libs.runtime.long_work import LongWork
from libs.runtime.sharing import SharedReads
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.audit import Audit
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.drafts import Drafts
from services.conversation.read_models.member import MemberContext
from services.conversation.read_models.time_travel.past import PastConversations
from services.conversation.read_models.timeline import Timelines
from services.conversation.read_models.verified_streams import VerifiedStreams
from services.conversation.read_models.views import conversation_view


class ConversationQueries:
    """``long_work``: whole streams are read a few at a time.

    Errors of all: NotFound, Unavailable; where the past or the log is asked for, TooMany.
    """

    def __init__(
        self,
        visible: VisibleConversations,
        timelines: Timelines,
        past: PastConversations,
        drafts: Drafts,
        commits: AsyncEventStore,
        verified: VerifiedStreams,
        long_work: LongWork,
    ) -> None:
        self._visible = visible
        self._timelines = timelines
        self._past = past
        self._drafts = drafts
        self._commits = commits
        self._verified = verified
        self._long_work = long_work
        self._chains: SharedReads[ChainState] = SharedReads()

    async def view(
        self, actor: MemberContext, conversation_id: str, as_of: datetime | None
    ) -> ConversationView:
        """The conversation, and whether the member has a draft in it now.

        Errors: Invalid (``as_of``), NotBegun.
        """
        view = await self._view(actor, conversation_id, as_of)
        return replace(view, has_draft=await self._drafts.exists(actor.member_id, conversation_id))

    async def timeline(
        self,
        actor: MemberContext,
        conversation_id: str,
        cursor: str | None,
        limit: int,
        as_of: datetime | None,
    ) -> TimelinePage:
        """Errors: Invalid (the cursor, ``as_of``), NotBegun."""
        present = await self._visible.get(actor, conversation_id)
        localizer = actor.localizer(present.state)
        if as_of is None:
            return await self._timelines.of(present).page(cursor, limit, localizer)
        async with self._long_work.turn(actor.workspace_id):
            past = await self._past.at(present, as_of, localizer)
            timeline = self._past.timeline(past, as_of, present)
            page = await timeline.page(cursor, limit, localizer)
        return replace(page, as_of=as_of, erased=_erased_since(past, present))

    async def audit(
        self,
        actor: MemberContext,
        conversation_id: str,
        cursor: str | None,
        limit: int,
        *,
        whole: bool,
    ) -> AuditPage:
        """``whole``: its chain is read from the beginning. Errors: Invalid (the cursor)."""
        snapshot = await self._visible.get(actor, conversation_id)
        audit = Audit(
            self._commits, conversation_id, snapshot.version, self._chains, self._verified
        )
        async with self._long_work.turn(actor.workspace_id):
            return await audit.page(cursor, limit, whole=whole)

    async def _view(
        self, actor: MemberContext, conversation_id: str, as_of: datetime | None
    ) -> ConversationView:
        present = await self._visible.get(actor, conversation_id)
        if as_of is None:
            return conversation_view(present)
        async with self._long_work.turn(actor.workspace_id):
            past = await self._past.at(present, as_of, actor.localizer(present.state))
        view = conversation_view(past)
        return replace(view, as_of=as_of, erased=_erased_since(past, present))


def _erased_since(past: Snapshot[ConversationState], present: Snapshot[ConversationState]) -> bool:
    return past.state.erasures < present.state.erasures
