"""How a member marks what they see: read, flagged, by priority, tags, labels, fields, emotions."""

from collections.abc import Sequence
from typing import Final

from libs.events.api import ConversationView
from libs.events.api.marks import ChangeMarks, MarkEmotion, SetFields, SetMark, SetPriority
from libs.events.marks import MarkKind
from libs.events.words import is_line
from services.conversation.commands.base import Workplace
from services.conversation.commands.custom_fields import checked_values
from services.conversation.domain.conversation.marks import MARKS_AT_MOST, folded
from services.conversation.localization.localizer import wrong

TAG_MAX_CHARACTERS: Final = 50


class MarkCommands(Workplace):
    async def read(self, conversation_id: str, cause: str) -> ConversationView:
        me = self._member.member_id
        return await self._acted("read", conversation_id, cause, lambda c: c.mark_read(me))

    async def unread(self, conversation_id: str, cause: str) -> ConversationView:
        me = self._member.member_id
        return await self._acted("unread", conversation_id, cause, lambda c: c.mark_unread(me))

    async def flag(self, conversation_id: str, cause: str) -> ConversationView:
        me = self._member.member_id
        return await self._acted("flag", conversation_id, cause, lambda c: c.flag(me))

    async def unflag(self, conversation_id: str, cause: str) -> ConversationView:
        me = self._member.member_id
        return await self._acted("unflag", conversation_id, cause, lambda c: c.unflag(me))

    async def set_priority(
        self, conversation_id: str, cause: str, asked: SetPriority
    ) -> ConversationView:
        me = self._member.member_id
        return await self._acted(
            "priority", conversation_id, cause, lambda c: c.set_priority(me, asked.priority)
        )

    async def change_marks(
        self, kind: MarkKind, conversation_id: str, cause: str, asked: ChangeMarks
    ) -> ConversationView:
        """Tags, or labels of a kind of which a case has many. Errors: Invalid, TooManyMarks."""
        me = self._member.member_id
        for field in ("add", "remove"):
            if len(getattr(asked, field)) > MARKS_AT_MOST:
                raise wrong(field, "too-many", count=MARKS_AT_MOST)
        if not (asked.add or asked.remove):
            raise wrong("add", "nothing-to-change")
        if kind == "tag":
            add, remove = _tags("add", asked.add), _tags("remove", asked.remove)
        else:
            self._check_labels("add", kind, asked.add)
            add, remove = asked.add, asked.remove
        return await self._acted(
            f"{kind}s",
            conversation_id,
            cause,
            lambda c: c.change_marks(me, kind, add=add, remove=remove),
        )

    async def set_mark(
        self, kind: MarkKind, conversation_id: str, cause: str, asked: SetMark
    ) -> ConversationView:
        """A label of a kind of which a case has one. Errors: Invalid."""
        me = self._member.member_id
        if asked.label_id is not None:
            self._check_labels("label_id", kind, (asked.label_id,))
        return await self._acted(
            kind, conversation_id, cause, lambda c: c.set_mark(me, kind, asked.label_id)
        )

    async def set_fields(
        self, conversation_id: str, cause: str, asked: SetFields
    ) -> ConversationView:
        """Errors: Invalid, TooManyFields."""
        me = self._member.member_id
        values = checked_values(self._directory, "case", asked.values)
        return await self._acted(
            "fields", conversation_id, cause, lambda c: c.set_fields(me, values)
        )

    async def mark_emotion(
        self, message_id: str, conversation_id: str, cause: str, asked: MarkEmotion
    ) -> ConversationView:
        """Errors: NotFound (no such message in the conversation)."""
        me = self._member.member_id
        await self._message(conversation_id, message_id)
        return await self._acted(
            "emotion",
            conversation_id,
            cause,
            lambda c: c.mark_message(me, message_id, asked.emotion),
        )

    def _check_labels(self, field: str, kind: MarkKind, label_ids: Sequence[str]) -> None:
        for label_id in label_ids:
            label = self._directory.labels.get(label_id)
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
