"""What moves a case from state to state."""

from msgspec.structs import replace

from libs.events.api import ConversationView
from libs.events.api.cases import SendToCrm
from libs.events.conversation.case import Audience
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import Unavailable
from services.conversation.commands.answers import Answer
from services.conversation.commands.case_numbers import CaseNumbers
from services.conversation.commands.closing import check_may_close, close_case
from services.conversation.commands.executor import CommandExecutor
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.member import MemberContext


class LifeCommands:
    def __init__(
        self, executor: CommandExecutor, visible: VisibleConversations, numbers: CaseNumbers
    ) -> None:
        self._executor = executor
        self._visible = visible
        self._numbers = numbers

    async def take(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: TakenBy (naming the winner), AlreadyDone."""
        me = actor.member_id
        return await self._executor.act(
            actor, "take", conversation_id, cause, lambda c: c.take(me, answers=actor.answers)
        )

    async def close(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: TakenBy, NobodyTookIt, AlreadyDone, FieldsMissing."""
        return await self._executor.act(
            actor, "close", conversation_id, cause, lambda c: close_case(actor, c)
        )

    async def reopen(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """Errors: NoCaseYet, StillOpen."""
        me, manages = actor.member_id, actor.manages

        def decide(conversation: Conversation) -> None:
            audience = audience_of(conversation.state)

            def may_have_it(member_id: str) -> bool:
                return _works_where(actor, audience, member_id)

            conversation.reopen(me, manages=manages, answers=actor.answers, may_have_it=may_have_it)

        return await self._executor.act(actor, "reopen", conversation_id, cause, decide)

    async def open(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        """A case by hand, where none is open. Errors: HasOpenCase."""
        me = actor.member_id
        thread = (await self._visible.remembered(actor, conversation_id)).state.thread
        source = actor.directory.sources.get(thread.source_id)
        try:
            await self._numbers.reserve({thread.workspace_id: 1})
        except SERVER_AWAY as error:
            raise Unavailable from error
        number = self._numbers.of(thread.workspace_id)()

        def decide(conversation: Conversation) -> None:
            location_id = source.location_id if source else conversation.case.location_id
            conversation.open_by_hand(me, location_id, number, answers=actor.answers)

        return await self._executor.act(actor, "open", conversation_id, cause, decide)

    async def send_to_crm(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: SendToCrm
    ) -> Answer[ConversationView]:
        """Errors: NoCaseYet, TakenBy, NobodyTookIt, AlreadyDone; Forbidden and those of ``close``
        if it is to close."""
        me, manages = actor.member_id, actor.manages
        if asked.close:
            check_may_close(actor)

        def decide(conversation: Conversation) -> None:
            conversation.send_to_crm(me, manages=manages)
            if asked.close:
                close_case(actor, conversation)

        return await self._executor.act(actor, "send-to-crm", conversation_id, cause, decide)


def _works_where(actor: MemberContext, audience: Audience | None, member_id: str) -> bool:
    """Whether they answer customers, and see the case for another reason than that it was
    theirs: they may have left its location or group since."""
    member = actor.directory.members.get(member_id)
    if member is None or audience is None or not actor.answers(member_id):
        return False
    others = tuple(one for one in audience.member_ids if one != member_id)
    return actor.directory.may_see(member, replace(audience, member_ids=others))
