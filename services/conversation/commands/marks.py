"""How a member marks what they see: read, flagged, by priority, tags, labels, fields, emotions."""

from collections.abc import Sequence
from typing import Final

from libs.events.api import ConversationView
from libs.events.api.marks import ChangeMarks, MarkEmotion, SetFields, SetMark, SetPriority
from libs.events.marks import MarkKind
from libs.events.words import is_line
from services.conversation.commands.answers import Answer
from services.conversation.commands.custom_fields import checked_values
from services.conversation.commands.executor import CommandExecutor
from services.conversation.domain.conversation.marks import MARKS_AT_MOST, folded
from services.conversation.localization.localizer import wrong
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.member import MemberContext

TAG_MAX_CHARACTERS: Final = 50


class MarkCommands:
    def __init__(self, executor: CommandExecutor, visible: VisibleConversations) -> None:
        self._executor = executor
        self._visible = visible

    async def read(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        me = actor.member_id
        return await self._executor.act(
            actor, "read", conversation_id, cause, lambda c: c.mark_read(me)
        )

    async def unread(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        me = actor.member_id
        return await self._executor.act(
            actor, "unread", conversation_id, cause, lambda c: c.mark_unread(me)
        )

    async def flag(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        me = actor.member_id
        return await self._executor.act(actor, "flag", conversation_id, cause, lambda c: c.flag(me))

    async def unflag(
        self, actor: MemberContext, conversation_id: str, cause: str
    ) -> Answer[ConversationView]:
        me = actor.member_id
        return await self._executor.act(
            actor, "unflag", conversation_id, cause, lambda c: c.unflag(me)
        )

    async def set_priority(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: SetPriority
    ) -> Answer[ConversationView]:
        me = actor.member_id
        return await self._executor.act(
            actor, "priority", conversation_id, cause, lambda c: c.set_priority(me, asked.priority)
        )

    async def change_marks(
        self,
        actor: MemberContext,
        kind: MarkKind,
        conversation_id: str,
        cause: str,
        asked: ChangeMarks,
    ) -> Answer[ConversationView]:
        """Tags, or labels of a kind of which a case has many. Errors: Invalid, TooManyMarks."""
        me = actor.member_id
        for field in ("add", "remove"):
            if len(getattr(asked, field)) > MARKS_AT_MOST:
                raise wrong(field, "too-many", count=MARKS_AT_MOST)
        if not (asked.add or asked.remove):
            raise wrong("add", "nothing-to-change")
        if kind == "tag":
            add, remove = _tags("add", asked.add), _tags("remove", asked.remove)
        else:
            _check_labels(actor, "add", kind, asked.add)
            add, remove = asked.add, asked.remove
        return await self._executor.act(
            actor,
            f"{kind}s",
            conversation_id,
            cause,
            lambda c: c.change_marks(me, kind, add=add, remove=remove),
        )

    async def set_mark(
        self, actor: MemberContext, kind: MarkKind, conversation_id: str, cause: str, asked: SetMark
    ) -> Answer[ConversationView]:
        """A label of a kind of which a case has one. Errors: Invalid."""
        me = actor.member_id
        if asked.label_id is not None:
            _check_labels(actor, "label_id", kind, (asked.label_id,))
        return await self._executor.act(
            actor, kind, conversation_id, cause, lambda c: c.set_mark(me, kind, asked.label_id)
        )

    async def set_fields(
        self, actor: MemberContext, conversation_id: str, cause: str, asked: SetFields
    ) -> Answer[ConversationView]:
        """Errors: Invalid, TooManyFields."""
        me = actor.member_id
        values = checked_values(actor.directory, "case", asked.values)
        return await self._executor.act(
            actor, "fields", conversation_id, cause, lambda c: c.set_fields(me, values)
        )

    async def mark_emotion(
        self,
        actor: MemberContext,
        conversation_id: str,
        message_id: str,
        cause: str,
        asked: MarkEmotion,
    ) -> Answer[ConversationView]:
        """Errors: NotFound (no such message in the conversation)."""
        me = actor.member_id
        await self._visible.message(actor, conversation_id, message_id)
        return await self._executor.act(
            actor,
            "emotion",
            conversation_id,
            cause,
            lambda c: c.mark_message(me, message_id, asked.emotion),
        )


def _check_labels(
    actor: MemberContext, field: str, kind: MarkKind, label_ids: Sequence[str]
) -> None:
    for label_id in label_ids:
        label = actor.directory.labels.get(label_id)
        if label is None or label.kind != kind:
            raise wrong(field, "no-label", label=label_id[:80])
        if not label.active:
            raise wrong(field, "label-not-offered", label=label.name)


def _tags(field: str, words: Sequence[str]) -> tuple[str, ...]:
    """As they are kept."""
    tags = []
    for word in words:
        tag = folded(word)
        if not tag:
            raise wrong(field, "empty-tag")
        if len(tag) > TAG_MAX_CHARACTERS:
            raise wrong(field, "tag-too-long", count=TAG_MAX_CHARACTERS)
        if not is_line(tag):
            raise wrong(field, "unprintable-tag")
        tags.append(tag)
    return tuple(dict.fromkeys(tags))
