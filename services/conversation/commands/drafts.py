"""What a member has begun to write, and has not sent."""

from libs.events.api import Draft, DraftView
from services.conversation.localization.localizer import wrong
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.drafts import DRAFT_MAX_CHARACTERS, Drafts
from services.conversation.read_models.member import MemberContext


class DraftCommands:
    def __init__(self, visible: VisibleConversations, drafts: Drafts) -> None:
        self._visible = visible
        self._drafts = drafts

    async def put(self, actor: MemberContext, conversation_id: str, draft: Draft) -> DraftView:
        """Errors: Invalid."""
        if len(draft.text) > DRAFT_MAX_CHARACTERS:
            raise wrong("text", "too-long", count=DRAFT_MAX_CHARACTERS)
        await self._visible.remembered(actor, conversation_id)
        return await self._drafts.put(actor.workspace_id, actor.member_id, conversation_id, draft)

    async def get(self, actor: MemberContext, conversation_id: str) -> DraftView:
        await self._visible.remembered(actor, conversation_id)
        return await self._drafts.get(actor.member_id, conversation_id)

    async def delete(self, actor: MemberContext, conversation_id: str) -> None:
        await self._visible.remembered(actor, conversation_id)
        await self._drafts.delete(actor.member_id, conversation_id)
