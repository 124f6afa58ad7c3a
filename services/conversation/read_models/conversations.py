"""Conversations, and the files in them, as one member may see them: by their ids."""

from collections.abc import Collection
from itertools import batched
from typing import Final

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.commands import NotThere
from libs.aggregates.repository import AggregateRepository
from libs.events.api.attachments import AttachmentsInSight
from libs.events.api.conversations import ConversationsInSight
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import Unavailable
from libs.runtime.rows import Rows
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.refusals import no_such_conversation, no_such_message
from services.conversation.read_models.inbox.inbox import Inbox, PageCaches
from services.conversation.read_models.inbox.rows import snapshot_of
from services.conversation.read_models.member import MemberContext
from services.conversation.read_models.timeline import Timelines

_AT_ONCE: Final = 500


class VisibleConversations:
    """Errors of all: NotFound (also for what the member may not see), Unavailable."""

    def __init__(
        self,
        inbox: Rows,
        files: Rows,
        caches: PageCaches,
        repository: AggregateRepository[ConversationState],
        timelines: Timelines,
    ) -> None:
        self._inbox = inbox
        self._files = files
        self._caches = caches
        self._repository = repository
        self._timelines = timelines

    def inbox(self, actor: MemberContext) -> Inbox:
        return Inbox(self._inbox, self._caches, actor.workspace_id, actor.member, actor.directory)

    async def get(self, actor: MemberContext, conversation_id: str) -> Snapshot[ConversationState]:
        """The conversation as it is now."""
        try:
            return await self.inbox(actor).get(conversation_id)
        except NotThere as error:
            raise no_such_conversation() from error
        except SERVER_AWAY as error:
            raise Unavailable from error

    async def remembered(
        self, actor: MemberContext, conversation_id: str
    ) -> Snapshot[ConversationState]:
        """A state that may be a moment old: good for what never changes, such as the channel.

        Whether the member may act is decided on the state that the commit is made from. What the
        member does not see is read, as what is not there is: so both take the same time.
        """
        one = [conversation_id]
        try:
            loaded = (await self._repository.load_cached(one))[conversation_id]
            if loaded.from_memory and not _seen(actor, loaded.snapshot):
                afresh = await self._repository.load_cached(one, unremembered=one)
                loaded = afresh[conversation_id]
        except SERVER_AWAY as error:
            raise Unavailable from error
        if loaded.snapshot is None or not _seen(actor, loaded.snapshot):
            raise no_such_conversation()
        return loaded.snapshot

    async def message(
        self, actor: MemberContext, conversation_id: str, message_id: str
    ) -> tuple[Snapshot[ConversationState], MessageReceived | MessageSent]:
        """The conversation as it is now, so that nothing is read of what was forgotten since, and
        how the message came into it."""
        snapshot = await self.get(actor, conversation_id)
        placed = await self._timelines.of(snapshot).find(message_id)
        if placed is None or not isinstance(placed[1], MessageReceived | MessageSent):
            raise no_such_message()
        return snapshot, placed[1]

    async def attachments_in_sight(
        self, actor: MemberContext, ids: Collection[str]
    ) -> AttachmentsInSight:
        """Those of which nothing is said are in no conversation."""
        found = await self._files.find({"a": {"$in": list(ids)}}).to_list()
        places: dict[str, list[str]] = {}
        for row in found:
            places.setdefault(row["a"], []).append(row["c"])
        # The same file of a platform may be in very many.
        visible: set[str] = set()
        hidden: set[str] = set()
        for attachment_id, conversations in places.items():
            own, seen = False, False
            for some in batched(conversations, _AT_ONCE):
                of_workspace = {"_id": {"$in": list(some)}, "workspace": actor.workspace_id}
                rows = await self._inbox.find(of_workspace).to_list()
                own = own or bool(rows)
                if seen := any(actor.sees(snapshot_of(row).state) for row in rows):
                    break
            if own:
                (visible if seen else hidden).add(attachment_id)
        return AttachmentsInSight(visible=tuple(sorted(visible)), hidden=tuple(sorted(hidden)))

    async def in_sight(self, actor: MemberContext, ids: Collection[str]) -> ConversationsInSight:
        rows = await self._inbox.find(
            {"_id": {"$in": list(ids)}, "workspace": actor.workspace_id}
        ).to_list()
        visible = (row["_id"] for row in rows if actor.sees(snapshot_of(row).state))
        return ConversationsInSight(visible=tuple(sorted(visible)))


def _seen(actor: MemberContext, snapshot: Snapshot[ConversationState] | None) -> bool:
    if snapshot is None or snapshot.state.thread.workspace_id != actor.workspace_id:
        return False
    return actor.sees(snapshot.state)
