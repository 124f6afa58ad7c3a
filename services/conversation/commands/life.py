"""What moves a case from state to state."""

from msgspec.structs import replace

from libs.events.api import ConversationView
from libs.events.api.cases import SendToCrm
from libs.events.conversation import Audience
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import Unavailable
from services.conversation.commands.base import Workplace
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.conversation import Conversation


class LifeCommands(Workplace):
    async def take(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken (naming the winner), CaseDone."""
        me = self._member.member_id
        return await self._acted(
            "take", conversation_id, cause, lambda c: c.take(me, answers=self._answers)
        )

    async def close(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: CaseTaken, CaseNotTaken, CaseDone, CaseFieldsMissing."""
        return await self._acted("close", conversation_id, cause, self._close)

    async def reopen(self, conversation_id: str, cause: str) -> ConversationView:
        """Errors: NoCase, CaseOpen."""
        me, manages = self._member.member_id, self._manages

        def decide(conversation: Conversation) -> None:
            audience = audience_of(conversation.state)

            def may_have_it(member_id: str) -> bool:
                return self._works_where(audience, member_id)

            conversation.reopen(me, manages=manages, answers=self._answers, may_have_it=may_have_it)

        return await self._acted("reopen", conversation_id, cause, decide)

    async def open(self, conversation_id: str, cause: str) -> ConversationView:
        """A case by hand, where none is open. Errors: HasAnOpenCase."""
        me, parts = self._member.member_id, self._parts
        thread = (await self._remembered(conversation_id)).state.thread
        source = self._directory.sources.get(thread.source_id)
        try:
            await parts.numbers.reserve({thread.workspace_id: 1})
        except SERVER_AWAY as error:
            raise Unavailable from error
        number = parts.numbers.of(thread.workspace_id)()

        def decide(conversation: Conversation) -> None:
            location_id = source.location_id if source else conversation.case.location_id
            conversation.open_by_hand(me, location_id, number, answers=self._answers)

        return await self._acted("open", conversation_id, cause, decide)

    async def send_to_crm(
        self, conversation_id: str, cause: str, asked: SendToCrm
    ) -> ConversationView:
        """Errors: NoCase, CaseTaken, CaseNotTaken, CaseDone; Forbidden and those of ``close`` if
        it is to close."""
        me, manages = self._member.member_id, self._manages
        if asked.close:
            self._must_close()

        def decide(conversation: Conversation) -> None:
            conversation.send_to_crm(me, manages=manages)
            if asked.close:
                self._close(conversation)

        return await self._acted("send-to-crm", conversation_id, cause, decide)

    def _works_where(self, audience: Audience | None, member_id: str) -> bool:
        """Whether they answer customers, and see the case for another reason than that it was
        theirs: they may have left its location or group since."""
        member = self._directory.members.get(member_id)
        if member is None or audience is None or not self._answers(member_id):
            return False
        others = tuple(one for one in audience.member_ids if one != member_id)
        return self._directory.may_see(member, replace(audience, member_ids=others))
