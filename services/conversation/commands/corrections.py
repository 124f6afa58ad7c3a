"""What a member changes of what was sent."""

from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.events.api import ConversationView, EditMessage
from libs.runtime.rows import Rows, find_rows
from services.conversation.commands.answers import Answer, answer_of, state_of
from services.conversation.commands.executor import CommandExecutor
from services.conversation.commands.limits import check_edited
from services.conversation.domain.conversation.corrections import SentBefore
from services.conversation.domain.conversation.messages import MessageSent
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.member import MemberContext
from services.conversation.read_models.messages.parts import attempts_of, deletion_of, edit_of
from services.conversation.read_models.messages.rows import delivery_of


class CorrectionCommands:
    """Errors of all: NotFound (no such message), WrittenByAnother, WrittenElsewhere,
    AlreadyDeleted, NotSentYet, ChannelRefuses."""

    def __init__(
        self, executor: CommandExecutor, visible: VisibleConversations, messages: Rows
    ) -> None:
        self._executor = executor
        self._visible = visible
        self._messages = messages

    async def edit_message(
        self,
        actor: MemberContext,
        conversation_id: str,
        message_id: str,
        cause: str,
        asked: EditMessage,
    ) -> Answer[ConversationView]:
        """Errors: Invalid, NoTextToEdit."""
        me, manages = actor.member_id, actor.manages
        snapshot, sent = await self._sent_before(actor, conversation_id, message_id)
        content = replace(sent.content, text=asked.text)
        check_edited(snapshot.state.thread.channel, content)
        done = await self._executor.execute(
            actor,
            "edit",
            conversation_id,
            cause,
            lambda c: c.edit_sent(me, sent, content, manages=manages),
            len(content.text),
        )
        return answer_of(state_of(done))

    async def delete_message(
        self, actor: MemberContext, conversation_id: str, message_id: str, cause: str
    ) -> Answer[ConversationView]:
        me, manages = actor.member_id, actor.manages
        _, sent = await self._sent_before(actor, conversation_id, message_id)
        return await self._executor.act(
            actor,
            "delete",
            conversation_id,
            cause,
            lambda c: c.delete_sent(me, sent, manages=manages),
        )

    async def _sent_before(
        self, actor: MemberContext, conversation_id: str, message_id: str
    ) -> tuple[Snapshot[ConversationState], SentBefore]:
        """The conversation and the message as they are now."""
        snapshot, event = await self._visible.message(actor, conversation_id, message_id)
        rows = await find_rows(self._messages, [message_id])
        row = rows[0] if rows else {}
        delivery, edit, deletion = delivery_of(row), edit_of(row), deletion_of(row)
        latest = attempts_of(row, "", event.at)[-1]
        # What is being sent again is not changed meanwhile: nobody knows yet what of it is there.
        known = delivery is not None and delivery.state.attempt == latest.number
        return snapshot, SentBefore(
            message_id=message_id,
            member_id=event.member_id if isinstance(event, MessageSent) else None,
            content=edit[0] if edit else event.content,
            sent_at=event.at,
            delivery=latest.state,
            external_message_ids=delivery.state.external_message_ids if delivery and known else (),
            deleted_at=deletion[0] if deletion else None,
        )
