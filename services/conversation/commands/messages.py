"""What a member writes: to the customer, and for the team."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from libs.events.api import AddNote, SendMessage, Sent
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import Unavailable
from services.conversation.commands.base import Workplace, state_of
from services.conversation.commands.limits import check_content, check_note
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.notes import MENTIONS_AT_MOST
from services.conversation.domain.conversation.sending import Sending
from services.conversation.domain.conversation.state import PARTICIPANTS_AT_MOST, ConversationState
from services.conversation.localization.localizer import wrong
from services.conversation.localization.refusals import NotParleysMessage
from services.conversation.read_models.timeline import Timeline
from services.conversation.tasks import Done

# How often a conversation that goes on is read for what is to be sent again.
_READ_AT_MOST: Final = 20
_READ_AGAIN_SECONDS: Final = 0.02


class Resending:
    """Sends a message again, if the conversation still is as it was when that was looked up."""

    def __init__(self, by: str, sending: Sending, version: int) -> None:
        self._by = by
        self._sending = sending
        self._version = version
        self.overtaken = False

    def __call__(self, conversation: Conversation) -> None:
        self.overtaken = conversation.version != self._version
        if not self.overtaken:
            conversation.resend(self._by, self._sending)


class MessageCommands(Workplace):
    async def send(self, conversation_id: str, cause: str, message: SendMessage) -> Sent:
        """Errors: Invalid, CaseTaken, CaseNotTaken, CaseDone, SourceNotConnected."""
        snapshot = await self._remembered(conversation_id)
        content = message.content.kept()
        check_content(snapshot.state.thread.channel, content)
        if message.visibility == "public" and snapshot.state.thread.post is None:
            raise wrong("visibility", "public")
        if message.close:
            self._must_close()
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
            self._refuse_disconnected(conversation)
            if message.close:
                self._close(conversation)

        done = await self._do("send", conversation_id, cause, decide, len(content.text))
        # What was sent is no draft any more; should it stay behind, it is in nobody's way.
        with suppress(*SERVER_AWAY):
            await self._parts.drafts.delete(member_id, conversation_id)
        return await self._sent(done, message_id)

    async def resend(self, message_id: str, conversation_id: str, cause: str) -> Sent:
        """Send once more what failed, or what nobody knows the end of; never by itself, for the
        customer may have it. Of several who do, one does.

        Errors: those of ``send``, NotFound (no such message), NotParleysMessage, MessageDeleted,
        MessageErased, MessageNotFailed, TooManyAttempts, Unavailable (the conversation goes on).
        """
        for _ in range(_READ_AT_MOST):
            snapshot = await self._snapshot(conversation_id)
            timeline = Timeline(self._parts.store, self._parts.messages, snapshot)
            sending = await timeline.sending(message_id)
            if sending is None:
                await self._message(conversation_id, message_id)
                raise NotParleysMessage(self._teller(snapshot))
            resending = Resending(self._member.member_id, sending, snapshot.version)

            def decide(conversation: Conversation, resending: Resending = resending) -> None:
                resending(conversation)
                self._refuse_disconnected(conversation)

            length = len(sending.content.text)
            done = await self._do("resend", conversation_id, cause, decide, length)
            if done.repeated or not resending.overtaken:
                return await self._shown(done, message_id)
            await asyncio.sleep(_READ_AGAIN_SECONDS)
        raise Unavailable

    async def _shown(self, done: Done[ConversationState], message_id: str) -> Sent:
        """The message as the timeline has it now."""
        snapshot = state_of(done)
        item = await self._found(snapshot, message_id)
        return Sent(item=item, conversation=self._told(snapshot))

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
