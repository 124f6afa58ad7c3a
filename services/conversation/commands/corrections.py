"""What a member changes of what was sent."""

from msgspec.structs import replace

from libs.aggregates.aggregate import Snapshot
from libs.events.api import ConversationView, EditMessage
from libs.runtime.rows import find_rows
from services.conversation.commands.base import Workplace, state_of
from services.conversation.commands.limits import check_edited
from services.conversation.domain.conversation.corrections import SentBefore
from services.conversation.domain.conversation.messages import MessageSent
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.messages.parts import attempts_of, deletion_of, edit_of
from services.conversation.read_models.messages.rows import delivery_of


class CorrectionCommands(Workplace):
    """Errors of all: NotFound (no such message), NotYourMessage, NotParleysMessage,
    MessageDeleted, MessageNotSent, ChannelDoesNotAllow."""

    async def edit_message(
        self, message_id: str, conversation_id: str, cause: str, asked: EditMessage
    ) -> ConversationView:
        """Errors: Invalid, MessageWithoutText."""
        me, manages = self._member.member_id, self._manages
        snapshot, sent = await self._sent_before(conversation_id, message_id)
        content = replace(sent.content, text=asked.text)
        check_edited(snapshot.state.thread.channel, content)
        done = await self._do(
            "edit",
            conversation_id,
            cause,
            lambda c: c.edit_sent(me, sent, content, manages=manages),
            len(content.text),
        )
        return self._told(state_of(done))

    async def delete_message(
        self, message_id: str, conversation_id: str, cause: str
    ) -> ConversationView:
        me, manages = self._member.member_id, self._manages
        _, sent = await self._sent_before(conversation_id, message_id)
        return await self._acted(
            "delete", conversation_id, cause, lambda c: c.delete_sent(me, sent, manages=manages)
        )

    async def _sent_before(
        self, conversation_id: str, message_id: str
    ) -> tuple[Snapshot[ConversationState], SentBefore]:
        """The conversation and the message as they are now."""
        snapshot, event = await self._message(conversation_id, message_id)
        rows = await find_rows(self._parts.messages, [message_id])
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
