"""What a member writes: to the customer, and for the team."""

from libs.events.api import AddNote, SendMessage, Sent
from services.conversation.commands.base import Workplace
from services.conversation.domain.conversation import Conversation
from services.conversation.limits import check_content, check_note
from services.conversation.timeline import Timeline


class MessageCommands(Workplace):
    async def send(self, conversation_id: str, cause: str, message: SendMessage) -> Sent:
        """Errors: Invalid, CaseTaken, CaseNotTaken, CaseDone."""
        snapshot = await self._remembered(conversation_id)
        check_content(snapshot.state.thread.channel, message.content)
        quoted = None
        if message.reply_to is not None:
            timeline = Timeline(self._parts.store, self._parts.messages, snapshot)
            quoted = await timeline.external_id(message.reply_to)
        member_id = self._member.member_id
        message_id = self._parts.id_key.derive("msg", conversation_id, cause)

        def decide(conversation: Conversation) -> None:
            conversation.reply(
                member_id,
                message_id,
                message.content,
                reply_to=message.reply_to,
                reply_to_external=quoted,
            )
            if message.close:
                self._close(conversation)

        done = await self._do("send", conversation_id, cause, decide, len(message.content.text))
        return await self._sent(done, message_id)

    async def note(self, conversation_id: str, cause: str, note: AddNote) -> Sent:
        """Errors: Invalid."""
        check_note(note.text)
        member_id = self._member.member_id
        note_id = self._parts.id_key.derive("note", conversation_id, cause)
        done = await self._do(
            "note", conversation_id, cause, lambda c: c.note(member_id, note_id, note.text)
        )
        return await self._sent(done, note_id)
