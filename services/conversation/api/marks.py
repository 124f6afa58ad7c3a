"""How a member marks a conversation and its messages."""

from collections.abc import Awaitable
from typing import Final

from libs.events.api import ConversationView
from libs.events.api.marks import ChangeMarks, MarkEmotion, SetFields, SetMark, SetPriority
from libs.events.marks import MarkKind
from services.conversation.api.conversations import ONE
from services.conversation.api.messages import MESSAGE
from services.conversation.api.resource import (
    Endpoint,
    Routes,
    acting,
    acting_with,
    acting_within_with,
)
from services.conversation.commands.answers import Answer
from services.conversation.commands.marks import MarkCommands
from services.conversation.read_models.member import MemberContext

type _Marked = Awaitable[Answer[ConversationView]]


def change_marks(kind: MarkKind) -> Endpoint[MarkCommands]:
    """Of a kind of which a case has many."""

    def act(
        commands: MarkCommands, actor: MemberContext, one: str, cause: str, asked: ChangeMarks
    ) -> _Marked:
        return commands.change_marks(actor, kind, one, cause, asked)

    return acting_with(ChangeMarks, act)


def set_mark(kind: MarkKind) -> Endpoint[MarkCommands]:
    """Of a kind of which a case has one."""

    def act(
        commands: MarkCommands, actor: MemberContext, one: str, cause: str, asked: SetMark
    ) -> _Marked:
        return commands.set_mark(actor, kind, one, cause, asked)

    return acting_with(SetMark, act)


read = acting(MarkCommands.read)
unread = acting(MarkCommands.unread)
flag = acting(MarkCommands.flag)
unflag = acting(MarkCommands.unflag)
set_priority = acting_with(SetPriority, MarkCommands.set_priority)
set_fields = acting_with(SetFields, MarkCommands.set_fields)
mark_emotion = acting_within_with("message_id", MarkEmotion, MarkCommands.mark_emotion)

ROUTES: Final[Routes[MarkCommands]] = (
    ("POST", f"{ONE}/read", read),
    ("POST", f"{ONE}/unread", unread),
    ("POST", f"{ONE}/flag", flag),
    ("POST", f"{ONE}/unflag", unflag),
    ("POST", f"{ONE}/priority", set_priority),
    ("POST", f"{ONE}/tags", change_marks("tag")),
    ("POST", f"{ONE}/topics", change_marks("topic")),
    ("POST", f"{ONE}/reasons", change_marks("reason")),
    ("POST", f"{ONE}/components", change_marks("component")),
    ("POST", f"{ONE}/status", set_mark("status")),
    ("POST", f"{ONE}/type", set_mark("type")),
    ("POST", f"{ONE}/fields", set_fields),
    ("PUT", f"{MESSAGE}/emotion", mark_emotion),
)
