"""What a member has begun to write, and has not sent."""

from collections.abc import Awaitable
from datetime import datetime

from msgspec.structs import replace

from libs.events.api import ConversationView, Draft, DraftView
from services.conversation.commands.base import Workplace
from services.conversation.localization.localizer import wrong
from services.conversation.read_models.drafts import DRAFT_MAX_CHARACTERS


class DraftCommands(Workplace):
    async def put_draft(self, conversation_id: str, draft: Draft) -> DraftView:
        """Errors: Invalid."""
        if len(draft.text) > DRAFT_MAX_CHARACTERS:
            raise wrong("text", "too-long", count=DRAFT_MAX_CHARACTERS)
        await self._remembered(conversation_id)
        return await self._parts.drafts.put(
            self._caller.workspace_id, self._member.member_id, conversation_id, draft
        )

    async def draft(self, conversation_id: str) -> DraftView:
        await self._remembered(conversation_id)
        return await self._parts.drafts.get(self._member.member_id, conversation_id)

    async def delete_draft(self, conversation_id: str) -> None:
        await self._remembered(conversation_id)
        await self._parts.drafts.delete(self._member.member_id, conversation_id)

    async def with_drafts(self, listed: Awaitable[bytes]) -> bytes:
        """An encoded page of conversations, marked where the member has a draft."""
        return await self._parts.drafts.marks_on(listed, self._member.member_id)

    async def view(self, conversation_id: str, as_of: datetime | None) -> ConversationView:
        """As it is for everybody, and whether there is a draft now."""
        shown = await super().view(conversation_id, as_of)
        has_draft = await self._parts.drafts.exists(self._member.member_id, conversation_id)
        return replace(shown, has_draft=has_draft)
