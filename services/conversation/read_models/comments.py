"""What other people say under the same post."""

import asyncio
from typing import Final

from pymongo import DESCENDING

from libs.aggregates.aggregate import Snapshot
from libs.events.api import Comment, CommentsPage
from libs.runtime.away import SERVER_AWAY
from libs.runtime.cursors import Instants, cursor_of, place_of
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.problems import Unavailable
from libs.runtime.rows import Rows
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.inbox.rows import post_of, snapshot_of
from services.conversation.read_models.member import MemberContext
from services.conversation.read_models.timeline import Timelines

# Of one author, the comments among so many of the newest events of their conversation.
_EVENTS_OF_AN_AUTHOR: Final = 50


class CommentQueries:
    def __init__(self, visible: VisibleConversations, inbox: Rows, timelines: Timelines) -> None:
        self._visible = visible
        self._inbox = inbox
        self._timelines = timelines

    async def under_the_same_post(
        self, actor: MemberContext, conversation_id: str, cursor: str | None, limit: int
    ) -> CommentsPage:
        """``limit`` counts authors. None where the conversation is a direct one.

        A comment is there for all the world to read; whose case it is, only for who may see that.
        Errors: Invalid (the cursor).
        """
        of = ("comments", conversation_id)
        after = place_of(cursor, Instants, *of) if cursor else None
        post = post_of((await self._visible.get(actor, conversation_id)).state.thread)
        if post is None:
            return CommentsPage(items=())
        try:
            rows = await self._under(actor, post, conversation_id, after, limit + 1)
            found = await asyncio.gather(*(self._of_one(actor, row) for row in rows[:limit]))
        except SERVER_AWAY as error:
            raise Unavailable from error
        items = sorted((one for own in found for one in own), key=lambda c: c.at, reverse=True)
        more = len(rows) > limit
        last = rows[limit - 1] if more else None
        return CommentsPage(
            items=tuple(items),
            next=cursor_of(Instants(last["active_at"], last["_id"]), *of) if last else None,
        )

    async def _under(
        self,
        actor: MemberContext,
        post: str,
        conversation_id: str,
        after: Instants | None,
        limit: int,
    ) -> list[Document]:
        """Rows of the other authors, the last active first."""
        condition: Document = {
            "workspace": actor.workspace_id,
            "post": post,
            "_id": {"$ne": conversation_id},
        }
        if after is not None:
            condition["$or"] = [
                {"active_at": {"$lt": after.at}},
                {"active_at": after.at, "_id": {"$lt": after.id, "$ne": conversation_id}},
            ]
        order = [("active_at", DESCENDING), ("_id", DESCENDING)]
        return await self._inbox.find(condition, sort=order, limit=limit).to_list()

    async def _of_one(self, actor: MemberContext, row: Document) -> list[Comment]:
        with left_out("comments", row["_id"], SERVER_AWAY):
            return await self._of(actor, snapshot_of(row))
        return []

    async def _of(
        self, actor: MemberContext, snapshot: Snapshot[ConversationState]
    ) -> list[Comment]:
        state = snapshot.state
        timeline = self._timelines.of(snapshot)
        items = await timeline.comments(_EVENTS_OF_AN_AUTHOR, actor.localizer(snapshot.state))
        seen = actor.sees(state)
        return [
            Comment(
                message_id=item.id,
                direction=item.direction or "incoming",
                content=item.content,
                at=item.at,
                author=item.sender.name if item.sender else "",
                permalink=item.permalink,
                conversation_id=state.thread.conversation_id if seen else None,
                case_number=state.case.short_number if seen else None,
            )
            for item in items
            if item.content is not None and not item.withheld
        ]
