"""What a member writes: to the customer, and for the team."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from libs.events.api import AddNote, SendMessage, Sent
from libs.events.ids import IdKey
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import Unavailable
from services.conversation.commands.answers import Answer, SentAnswers, state_of
from services.conversation.commands.closing import check_may_close, close_case
from services.conversation.commands.executor import CommandExecutor
from services.conversation.commands.limits import check_content, check_note
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.corrections import WrittenElsewhere
from services.conversation.domain.conversation.messages import SourceDisconnected
from services.conversation.domain.conversation.notes import MENTIONS_AT_MOST
from services.conversation.domain.conversation.sending import Sending
from services.conversation.domain.conversation.state import PARTICIPANTS_AT_MOST, ConversationState
from services.conversation.localization.localizer import wrong
from services.conversation.localization.refusals import RefusalProblem
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.drafts import Drafts
from services.conversation.read_models.member import MemberContext
from services.conversation.read_models.timeline import Timelines

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


class MessageCommands:
    def __init__(
        self,
        executor: CommandExecutor,
        visible: VisibleConversations,
        timelines: Timelines,
        sent: SentAnswers,
        drafts: Drafts,
        id_key: IdKey,
    ) -> None:
        self._executor = executor
        self._visible = visible
        self._timelines = timelines
        self._sent = sent
        self._drafts = drafts
        self._id_key = id_key

    async def send(
        self, actor: MemberContext, conversation_id: str, cause: str, message: SendMessage
    ) -> Answer[Sent]:
        """Errors: Invalid, TakenBy, NobodyTookIt, AlreadyDone, SourceDisconnected."""
        snapshot = await self._visible.remembered(actor, conversation_id)
        content = message.content.kept()
        check_content(snapshot.state.thread.channel, content)
        if message.visibility == "public" and snapshot.state.thread.post is None:
            raise wrong("visibility", "public")
        if message.close:
            check_may_close(actor)
        quoted = None
        if message.reply_to is not None:
            timeline = self._timelines.of(snapshot)
            quoted = await timeline.external_id(message.reply_to)
        member_id = actor.member_id
        message_id = self._id_key.derive("msg", conversation_id, cause)

        def decide(conversation: Conversation) -> None:
            conversation.reply(
                member_id,
                message_id,
                content,
                reply_to=message.reply_to,
                reply_to_external=quoted,
                visibility=message.visibility,
            )
            _refuse_disconnected(actor, conversation)
            if message.close:
                close_case(actor, conversation)

        done = await self._executor.execute(
            actor, "send", conversation_id, cause, decide, len(content.text)
        )
        # What was sent is no draft any more; should it stay behind, it is in nobody's way.
        with suppress(*SERVER_AWAY):
            await self._drafts.delete(member_id, conversation_id)
        return await self._sent.of(actor, done, message_id)

    async def resend(
        self, actor: MemberContext, conversation_id: str, message_id: str, cause: str
    ) -> Answer[Sent]:
        """Send once more what failed, or what nobody knows the end of; never by itself, for the
        customer may have it. Of several who do, one does.

        Errors: those of ``send``, NotFound (no such message), WrittenElsewhere, AlreadyDeleted,
        MessageForgotten, NotFailed, TriedTooOften, Unavailable (the conversation goes on).
        """
        for _ in range(_READ_AT_MOST):
            snapshot = await self._visible.get(actor, conversation_id)
            timeline = self._timelines.of(snapshot)
            sending = await timeline.sending(message_id)
            if sending is None:
                await self._visible.message(actor, conversation_id, message_id)
                raise RefusalProblem(WrittenElsewhere(), actor.localizer(snapshot.state))
            resending = Resending(actor.member_id, sending, snapshot.version)

            def decide(conversation: Conversation, resending: Resending = resending) -> None:
                resending(conversation)
                _refuse_disconnected(actor, conversation)

            length = len(sending.content.text)
            done = await self._executor.execute(
                actor, "resend", conversation_id, cause, decide, length
            )
            if done.repeated or not resending.overtaken:
                return await self._sent.shown(actor, state_of(done), message_id)
            await asyncio.sleep(_READ_AGAIN_SECONDS)
        raise Unavailable

    async def note(
        self, actor: MemberContext, conversation_id: str, cause: str, note: AddNote
    ) -> Answer[Sent]:
        """Errors: Invalid."""
        check_note(note.text)
        me, manages = actor.member_id, actor.manages
        if note.mentions:
            _check_mentions(
                actor, note.mentions, (await self._visible.remembered(actor, conversation_id)).state
            )
        note_id = self._id_key.derive("note", conversation_id, cause)
        done = await self._executor.execute(
            actor,
            "note",
            conversation_id,
            cause,
            lambda c: c.note(
                me,
                note_id,
                note.text,
                mentions=note.mentions,
                manages=manages,
                answers=actor.answers,
            ),
            len(note.text),
        )
        return await self._sent.of(actor, done, note_id)


def _check_mentions(
    actor: MemberContext, mentions: Sequence[str], state: ConversationState
) -> None:
    """Who is mentioned has to be able to look, unless the mention itself lets them: see
    ``docs/decisions/0015-a-mention-is-for-who-can-look.md``. Errors: Invalid.
    """
    if len(mentions) > MENTIONS_AT_MOST:
        raise wrong("mentions", "too-many", count=MENTIONS_AT_MOST)
    case = state.case
    adds = case.state == "active" and (actor.manages or case.responsible == actor.member_id)
    has_room = len(case.participants) < PARTICIPANTS_AT_MOST
    for member_id in mentions:
        member = actor.directory.members.get(member_id)
        if member is None or not member.active:
            raise wrong("mentions", "no-member", member=member_id[:80])
        added = adds and has_room and actor.answers(member_id)
        if not added and not actor.directory.may_see(member, audience_of(state)):
            raise wrong("mentions", "member-does-not-see", member=member.name)


def _refuse_disconnected(actor: MemberContext, conversation: Conversation) -> None:
    """Before anything is written down that could not be sent. Errors: SourceDisconnected."""
    if conversation.state is not None:
        source = actor.directory.sources.get(conversation.state.thread.source_id)
        if source is not None and not source.connected:
            raise SourceDisconnected(source.source_id)
