"""What a member writes: to the customer, and for the team."""

from collections.abc import Sequence
from contextlib import suppress

from libs.events.api import AddNote, SendMessage, Sent
from services.conversation.commands.base import Workplace
from services.conversation.commands.limits import check_content, check_note
from services.conversation.commands.queue import NOT_NOW
from services.conversation.domain.conversation import Conversation
from services.conversation.domain.notes import MENTIONS_AT_MOST
from services.conversation.domain.state import PARTICIPANTS_AT_MOST, ConversationState
from services.conversation.publishing import audience_of
from services.conversation.telling import wrong
from services.conversation.timeline import Timeline


class MessageCommands(Workplace):
    async def send(self, conversation_id: str, cause: str, message: SendMessage) -> Sent:
        """Errors: Invalid, CaseTaken, CaseNotTaken, CaseDone."""
        snapshot = await self._remembered(conversation_id)
        content = message.content.kept()
        check_content(snapshot.state.thread.channel, content)
        if message.visibility == "public" and snapshot.state.thread.post is None:
            raise wrong("visibility", "public")
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
                content,
                reply_to=message.reply_to,
                reply_to_external=quoted,
                visibility=message.visibility,
            )
            if message.close:
                self._close(conversation)

        done = await self._do("send", conversation_id, cause, decide, len(content.text))
        # What was sent is no draft any more; should it stay behind, it is in nobody's way.
        with suppress(*NOT_NOW):
            await self._parts.drafts.delete(member_id, conversation_id)
        return await self._sent(done, message_id)

    async def note(self, conversation_id: str, cause: str, note: AddNote) -> Sent:
        """Errors: Invalid."""
        check_note(note.text)
        me, manages = self._member.member_id, self._manages
        if note.mentions:
            self._check_mentions(note.mentions, (await self._remembered(conversation_id)).state)
        note_id = self._parts.id_key.derive("note", conversation_id, cause)
        done = await self._do(
            "note",
            conversation_id,
            cause,
            lambda c: c.note(
                me,
                note_id,
                note.text,
                mentions=note.mentions,
                manages=manages,
                answers=self._answers,
            ),
            len(note.text),
        )
        return await self._sent(done, note_id)

    def _check_mentions(self, mentions: Sequence[str], state: ConversationState) -> None:
        """Who is mentioned has to be able to look, unless the mention itself lets them: see
        ``docs/decisions/0015-a-mention-is-for-who-can-look.md``. Errors: Invalid.
        """
        if len(mentions) > MENTIONS_AT_MOST:
            raise wrong("mentions", "too-many", count=MENTIONS_AT_MOST)
        case = state.case
        adds = case.state == "active" and (
            self._manages or case.responsible == self._member.member_id
        )
        has_room = len(case.participants) < PARTICIPANTS_AT_MOST
        for member_id in mentions:
            member = self._directory.members.get(member_id)
            if member is None or not member.active:
                raise wrong("mentions", "no-member", member=member_id[:80])
            added = adds and has_room and self._answers(member_id)
            if not added and not self._directory.may_see(member, audience_of(state)):
                raise wrong("mentions", "member-does-not-see", member=member.name)
