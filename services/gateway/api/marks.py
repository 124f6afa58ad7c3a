"""How the team marks conversations, passed on to their service."""

from typing import Final

from libs.events.actions import Action
from libs.events.api import ConversationView
from libs.events.api.marks import ChangeMarks, MarkEmotion, SetFields, SetMark, SetPriority
from libs.runtime.problems import Conflict
from services.gateway.api.passing import ANSWERED, PassThrough
from services.gateway.api.routes import Problems, Routes

_ONE: Final = "/v1/conversations/{id}"
_EMOTION: Final = _ONE + "/messages/{message_id}/emotion"
_COMMANDS: Final[Problems] = (*ANSWERED, Conflict)

_PLAIN: Final = (
    ("read", "markRead", "Say that the team has read what the customer wrote"),
    ("unread", "markUnread", "Have the conversation looked at again"),
    ("flag", "flagConversation", "Flag a conversation"),
    ("unflag", "unflagConversation", "Take the flag away"),
)
_WITH_BODY: Final[tuple[tuple[str, str, str, type], ...]] = (
    ("priority", "setPriority", "Say how urgent the case is", SetPriority),
    ("tags", "changeTags", "Give tags to the case, and take some away", ChangeMarks),
    ("topics", "changeTopics", "Give topics to the case, and take some away", ChangeMarks),
    ("reasons", "changeReasons", "Give reasons to the case, and take some away", ChangeMarks),
    ("components", "changeComponents", "Give components, and take some away", ChangeMarks),
    ("status", "setStatus", "Set the case's status, one of the workspace's own", SetMark),
    ("type", "setType", "Set the case's type", SetMark),
    ("fields", "setFields", "Fill in custom fields of the case", SetFields),
)


def add_mark_routes(routes: Routes, through: PassThrough) -> None:
    for path, name, summary in _PLAIN:
        routes.add(
            "POST", f"{_ONE}/{path}", through.to(f"{_ONE}/{path}", Action.MARK),
            name=name, summary=summary, answer=ConversationView, problems=_COMMANDS,
        )  # fmt: skip
    for path, name, summary, body in _WITH_BODY:
        routes.add(
            "POST", f"{_ONE}/{path}", through.to(f"{_ONE}/{path}", Action.MARK, takes_body=True),
            name=name, summary=summary, body=body, answer=ConversationView, problems=_COMMANDS,
        )  # fmt: skip
    routes.add(
        "PUT", _EMOTION, through.to(_EMOTION, Action.MARK, takes_body=True),
        name="markEmotion", summary="Say what is heard in a message",
        body=MarkEmotion, answer=ConversationView, problems=_COMMANDS,
    )  # fmt: skip
