"""What moves a case from state to state."""

from libs.events.api import ConversationView
from services.conversation.commands.base import Workplace


class LifeCommands(Workplace):
    async def take(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken (naming the winner), CaseDone."""
        me = self._member.member_id
        return await self._acted("take", conversation_id, cause, lambda c: c.take(me))

    async def close(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken, CaseNotTaken, CaseDone, CaseFieldsMissing."""
        return await self._acted("close", conversation_id, cause, self._close)

    async def reopen(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseOpen."""
        me, manages = self._member.member_id, self._manages
        return await self._acted(
            "reopen", conversation_id, cause, lambda c: c.reopen(me, manages=manages)
        )
