"""What goes over a live socket, and who is shown what."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from libs.events.actions import Action
from libs.events.conversation.case import ConversationEvent
from libs.events.conversation.message import MessageDeliveryChanged, MessageReceived
from libs.events.directory import MemberState
from libs.events.notification import NotificationRaised
from libs.events.registry import Body, spec_of
from libs.runtime.directory import WorkspaceDirectory

Shown = Literal["event", "gone", "notification"]
PING: Final = '{"type":"ping"}'
RELOAD: Final = '{"type":"reload"}'

# Who may see it and when Parley had it are nobody's business outside.
_INTERNAL: Final = (
    "audience",
    "audience_before",
    "audience_after",
    "recorded_at",
    "received_at",
)


class Happening:
    """One event as it was read. Its frames are encoded once, however many sockets show it.

    ``cursor`` is where to go on after it; ``seal`` makes it, where somebody is shown the event.
    ``trace`` is the carrier of the one that it belongs to, empty where it has none.
    """

    __slots__ = ("_cursor", "_frames", "_seal", "body", "offset", "place", "size_bytes", "trace")

    def __init__(
        self,
        body: Body,
        place: int,
        offset: int,
        size_bytes: int,
        seal: Callable[[], str],
        trace: Mapping[str, str],
    ) -> None:
        self.body = body
        self.place = place
        self.offset = offset
        self.size_bytes = size_bytes
        self.trace = trace
        self._seal = seal
        self._cursor: str | None = None
        self._frames: dict[Shown, str] = {}

    @property
    def cursor(self) -> str:
        if self._cursor is None:
            self._cursor = self._seal()
        return self._cursor

    @property
    def received_at(self) -> datetime | None:
        """When ingest had the customer's message, where it is one."""
        return self.body.received_at if isinstance(self.body, MessageReceived) else None

    def frame(self, shown: Shown) -> str:
        frame = self._frames.get(shown)
        if frame is None:
            frame = self._frames[shown] = self._encode(shown)
        return frame

    def _encode(self, shown: Shown) -> str:
        message: dict[str, Any] = {"type": shown, "cursor": self.cursor}
        if shown == "notification":
            message["notification"] = _public_fields(self.body)
        else:
            message["conversation_id"] = conversation_of(self.body)
            if shown == "event":
                message["event"] = spec_of(self.body).name
                message["data"] = _public_fields(self.body)
        return msgspec.json.encode(message).decode()


def ready(cursor: str) -> str:
    return msgspec.json.encode({"type": "ready", "cursor": cursor}).decode()


def shown_to(member: MemberState | None, directory: WorkspaceDirectory, body: Body) -> Shown | None:
    """How the member is shown the event; None: not at all.

    ``gone`` is for a case that the member could see before the event and cannot after it.
    """
    if member is None or not directory.may(member, Action.READ):
        return None
    match body:
        case ConversationEvent(audience_before=before, audience_after=after):
            if directory.may_see(member, after):
                return "event"
            if before != after and directory.may_see(member, before):
                return "gone"
        case MessageDeliveryChanged(audience=audience):
            if directory.may_see(member, audience):
                return "event"
        case NotificationRaised(member_id=member_id) if member_id == member.member_id:
            return "notification"
    return None


def conversation_of(body: Body) -> str:
    match body:
        case ConversationEvent(case=case):
            return case.conversation_id
        case MessageDeliveryChanged() | NotificationRaised():
            return body.conversation_id
    raise TypeError(f"{type(body).__name__} does not belong to a conversation")


def _public_fields(body: Body) -> dict[str, Any]:
    fields = {name: getattr(body, name) for name in body.__struct_fields__ if name not in _INTERNAL}
    return {name: value for name, value in fields.items() if value is not None}
