"""Places where people write to a bot, and how an answer gets there.

One conversation is what people would say is one place: a chat, the chat of a business account, a
topic of a forum, one person's questions to a channel, what is said in a group for one pair of eyes.

Source: https://core.telegram.org/bots/api#sendmessage
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from services.ingest.channels.telegram.shapes import Named, TelegramMessage

type ThreadKind = Literal["chat", "business", "topic", "direct", "ephemeral"]
_NUMBERED: Final[tuple[ThreadKind, ...]] = ("topic", "direct", "ephemeral")


@dataclass(frozen=True, slots=True)
class Thread:
    """``part`` tells places of one chat apart: the business connection through which the bot writes
    there, the topic, or the person who alone sees what is said.

    ``chat_id`` stays that of the group of which a supergroup was made.
    """

    chat_id: str
    part: str = ""
    kind: ThreadKind = "chat"

    def __str__(self) -> str:
        if self.kind == "chat":
            return self.chat_id
        if self.kind == "business":
            return f"business:{self.part}:{self.chat_id}"
        return f"{self.kind}:{self.chat_id}:{self.part}"

    @property
    def business_connection_id(self) -> str | None:
        return self.part if self.kind == "business" else None

    @property
    def face(self) -> str:
        """The chat of which the photo is shown."""
        return self.part if self.kind in ("direct", "ephemeral") else self.chat_id

    def address(self, chat_id: str | None = None) -> dict[str, Any]:
        """The parameters that say where a message is to go. ``chat_id``: the chat's present one."""
        fields: dict[str, Any] = {"chat_id": int(chat_id or self.chat_id)}
        match self.kind:
            case "business":
                fields["business_connection_id"] = self.part
            case "topic":
                fields["message_thread_id"] = int(self.part)
            case "direct":
                fields["direct_messages_topic_id"] = int(self.part)
            case "ephemeral":
                fields["ephemeral_message_parameters"] = {"receiver_user_id": int(self.part)}
        return fields


def read_thread(thread: str) -> Thread:
    """The reverse of ``str(thread)``. Errors: ValueError."""
    kind, _, rest = thread.partition(":")
    if kind == "business":
        connection, _, chat_id = rest.rpartition(":")
        if not connection:
            raise ValueError("a business thread without its connection")
        return Thread(str(int(chat_id)), connection, "business")
    for numbered in _NUMBERED:
        if kind == numbered:
            chat_id, _, part = rest.partition(":")
            return Thread(str(int(chat_id)), str(int(part)), numbered)
    return Thread(str(int(thread)))


def thread_of(message: TelegramMessage, origin: str | None = None) -> Thread:
    """``origin``: the group of which the supergroup was made."""
    chat_id = origin or str(message.chat.id)
    if message.business_connection_id is not None:
        return Thread(chat_id, message.business_connection_id, "business")
    if message.direct_messages_topic is not None:
        return Thread(chat_id, str(message.direct_messages_topic.topic_id), "direct")
    if message.ephemeral_message_id is not None and (person := _alone_with(message)) is not None:
        return Thread(chat_id, str(person), "ephemeral")
    if message.is_topic_message and message.message_thread_id is not None:
        return Thread(chat_id, str(message.message_thread_id), "topic")
    return Thread(chat_id)


def _alone_with(message: TelegramMessage) -> int | None:
    return message.sender.id if message.sender is not None else None


def external_id(message: Named, update_id: int, moved_to: str | None) -> str:
    """What Parley calls the message within its thread. ``moved_to``: the supergroup that the group
    has become, in which numbers begin anew."""
    if message.message_id:
        number = str(message.message_id)
    elif message.ephemeral_message_id is not None:
        # Its number is used again, but not within a second.
        number = f"e{message.ephemeral_message_id}.{message.date}"
    else:
        number = f"u{update_id}"
    return f"{moved_to}:{number}" if moved_to else number


def sent_as(result: Any, moved_to: str | None) -> str | None:
    """What Parley calls a message that was sent; None: the answer tells of no message."""
    number = result.get("message_id") if isinstance(result, dict) else None
    if not isinstance(number, int):
        return None
    ephemeral = result.get("ephemeral_message_id")
    name = f"e{ephemeral}.{result.get('date', 0)}" if number == 0 and ephemeral else str(number)
    return f"{moved_to}:{name}" if moved_to else name


def numbers_of(external_ids: tuple[str, ...], thread: Thread) -> tuple[str, list[int]]:
    """The chat, and Telegram's numbers there of messages that were sent one after the other: those
    in the first one's chat. Errors: ValueError (none of Telegram's)."""
    chats: dict[str, list[int]] = {}
    for one in external_ids:
        chat_id, _, number = one.rpartition(":")
        chats.setdefault(chat_id or thread.chat_id, []).append(int(number))
    return next(iter(chats.items()))


def quoting(external: str | None) -> dict[str, Any] | None:
    """The parameters that quote a message of the chat; None where it is none of Telegram's."""
    number = (external or "").rpartition(":")[2]
    if number.isdecimal():
        quoted = {"message_id": int(number)}
    elif number.startswith("e") and (ephemeral := number[1:].partition(".")[0]).isdecimal():
        quoted = {"ephemeral_message_id": int(ephemeral)}
    else:
        return None
    # An answer to a message that the customer has deleted is still an answer.
    return {**quoted, "allow_sending_without_reply": True}
