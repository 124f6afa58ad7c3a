"""One bot, as the double of Telegram's Bot API knows it: what was sent, and what is to go wrong."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

Fields = dict[str, Any]


class Refusal(Exception):
    """An answer with ``ok`` false. ``status`` is also its ``error_code``."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


_NO_FAULT: Final = Refusal(0, "")


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the double took. ``file`` are the bytes of what was uploaded with it."""

    method: str
    chat_id: int
    message_id: int
    at: float
    fields: Fields
    file_name: str | None = None
    file: bytes | None = None

    @property
    def text(self) -> str:
        return str(self.fields.get("text", self.fields.get("caption", "")))


@dataclass(slots=True)
class Bot:
    """What Telegram knows of one bot. ``chats``: who has written to it; others are not found.
    ``photos``: a chat's, by its id among the ``files``. ``migrated``: groups, and the supergroups
    that they have become; ``topics`` of forums; the topics of a channel's ``direct`` messages;
    ``connections`` of business accounts, any where there are none; buttons ``pressed`` and not yet
    ``answered``.

    ``sends_per_second``: above it 429 is answered, as Telegram does at a rate of its own.
    """

    token: str
    username: str
    chats: set[int] = field(default_factory=set)
    blocked_by: set[int] = field(default_factory=set)
    sent: list[SentMessage] = field(default_factory=list)
    edited: list[Fields] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    photos: dict[int, str] = field(default_factory=dict)
    faults: deque["Refusal | None"] = field(default_factory=deque)
    webhook_faults: deque[Refusal] = field(default_factory=deque)
    webhook: Fields = field(default_factory=dict)
    migrated: dict[int, int] = field(default_factory=dict)
    topics: set[tuple[int, int]] = field(default_factory=set)
    direct: dict[int, set[int]] = field(default_factory=dict)
    connections: set[str] = field(default_factory=set)
    pressed: list[str] = field(default_factory=list)
    answered: list[Fields] = field(default_factory=list)
    calls: int = 0
    sends_per_second: int | None = None
    last_update_id: int = 100_000
    last_message_id: int = 500
    last_album_id: int = 0

    @property
    def id(self) -> int:
        return int(self.token.partition(":")[0])

    def refuse_next(self, status: int, description: str, **parameters: int) -> None:
        """The next send is refused, before anything is kept."""
        self.faults.append(Refusal(status, description, **parameters))

    def break_next(self) -> None:
        """The next send is taken, and the connection is cut before the answer."""
        self.faults.append(None)

    def pass_next(self) -> None:
        """The next send is taken as usual; what was told before and after is for others."""
        self.faults.append(_NO_FAULT)

    def too_many(self, retry_after: int) -> None:
        self.refuse_next(
            429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after
        )

    def fault(self) -> "Refusal | None":
        """What was told of this call; None: it is taken, and its answer gets lost.

        Errors: Refusal.
        """
        self.calls += 1
        fault = self.faults.popleft() if self.faults else _NO_FAULT
        if fault is not None and fault is not _NO_FAULT:
            raise fault
        return fault

    def next_update(self, kind: str, content: Fields) -> Fields:
        """An update of ``kind``; its chat is known from now on, as somebody wrote there."""
        self.last_update_id += 1
        if "chat" in content:
            self.chats.add(int(content["chat"]["id"]))
        return {"update_id": self.last_update_id, kind: content}

    def press(self, person: Fields, message: SentMessage, text: str) -> Fields:
        """The update of a person who presses the button of that text under a message."""
        markup = message.fields["reply_markup"]
        buttons = [button for row in markup["inline_keyboard"] for button in row]
        data = next(one["callback_data"] for one in buttons if one["text"] == text)
        self.last_update_id += 1
        query_id = f"{self.id}{self.last_update_id}"
        self.pressed.append(query_id)
        query = {
            "id": query_id,
            "from": {"is_bot": False, **person},
            "chat_instance": "1",
            "data": data,
            "message": {
                "message_id": message.message_id,
                "from": {"id": self.id, "is_bot": True, "first_name": "Bot"},
                "chat": {"id": message.chat_id, "type": "private"},
                "date": int(time.time()),
                "text": message.text,
                "reply_markup": markup,
            },
        }
        return {"update_id": self.last_update_id, "callback_query": query}

    def message_from(self, person: Fields, **content: Any) -> Fields:
        """A private message as the Bot API documents it; ``content`` is its text, photo…"""
        self.last_message_id += 1
        chat = {k: person[k] for k in ("id", "first_name", "last_name", "username") if k in person}
        return {
            "message_id": self.last_message_id,
            "from": {"is_bot": False, **person},
            "chat": {**chat, "type": "private"},
            "date": int(time.time()),
            **content,
        }
