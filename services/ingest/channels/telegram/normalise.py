"""What an update of the Bot API means here: pure, no clock, no network.

Source: https://core.telegram.org/bots/api#update and #message
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from libs.events.content import Channel, Content, Direction, Sender
from libs.events.ids import IdKey
from libs.events.inbound import InboundDeleted, InboundReceived
from services.ingest.channels.telegram.content import content_of, name_of, short
from services.ingest.channels.telegram.shapes import (
    CallbackQuery,
    Chat,
    DeletedMessages,
    Doing,
    Named,
    TelegramMessage,
    Update,
    User,
)
from services.ingest.channels.telegram.threads import Thread, external_id, thread_of
from services.ingest.channels.telegram.words import (
    SERVICE,
    Say,
    doing_words,
    unknown_words,
)

# Every kind of update of Bot API 10; a name that is not here is counted as "other", so that
# nothing outside decides about the number of time series.
KINDS: Final = frozenset(
    {
        *("message", "edited_message", "channel_post", "edited_channel_post"),
        *("business_connection", "business_message", "edited_business_message"),
        *("deleted_business_messages", "message_reaction", "message_reaction_count"),
        *("inline_query", "chosen_inline_result", "callback_query", "guest_message"),
        *("shipping_query", "pre_checkout_query", "purchased_paid_media"),
        *("poll", "poll_answer", "my_chat_member", "chat_member", "chat_join_request"),
        *("chat_boost", "removed_chat_boost", "managed_bot", "subscription"),
    }
)
_MESSAGES: Final = (
    *("message", "edited_message", "business_message", "edited_business_message"),
    *("channel_post", "edited_channel_post", "guest_message"),
)
_DOINGS: Final = ("purchased_paid_media", "managed_bot", "subscription")
# Nothing was written before Telegram was there.
_BIRTH: Final = datetime(2013, 8, 14, tzinfo=UTC)
# Up to a second after the one that was told: two messages of one second, of which the later comes
# after its end, stay in the order in which they came.
_AT_ONCE: Final = timedelta(seconds=2)
_LAST_OF_A_SECOND: Final = timedelta(milliseconds=999)
# In one message to Kafka, and so in one commit, however many see the case.
DELETED_AT_ONCE: Final = 50
_PRESSED_LONGEST: Final = 256


@dataclass(frozen=True, slots=True)
class Ignored:
    """An update that is no message of a conversation; ``kind`` is for counting."""

    kind: str


# A message in which nothing was found that can be shown.
NOTHING: Final = Ignored("nothing")


@dataclass(frozen=True, slots=True)
class Reader:
    """For one source. ``account`` is our bot's id: what it sent itself comes back and is no news.

    ``say``: the workspace's language.
    """

    source_id: str
    account: str
    ids: IdKey
    say: Say

    def message(
        self,
        update: Update,
        *,
        received_at: datetime,
        origin: str | None = None,
        unnamed: bool = False,
    ) -> InboundReceived | Ignored:
        """``origin``: the group that the supergroup was made of. ``unnamed``: that the message is
        of a kind that nobody knows is what is to be shown of it.
        """
        if update.callback_query is not None:
            return self._pressed(update, update.callback_query, received_at, origin)
        for name in _DOINGS:
            doing: Doing | None = getattr(update, name)
            if doing is not None:
                return self._done(update.update_id, name, doing, received_at)
        found = message_of(update)
        if found is None:
            return Ignored("other")
        name, message = found
        if self._is_ours(message):
            return Ignored("echo")
        thread, moved_to = thread_of(message, origin), str(message.chat.id) if origin else None
        external = external_id(message, update.update_id, moved_to)
        content = content_of(message, self.source_id, self.ids, external, self.say)
        if unnamed:
            content = Content(text=unknown_words(self.say))
        elif content.is_empty:
            return NOTHING
        is_edit = name.startswith("edited_")
        sent_at = _occurred_at(message.date, received_at)
        happened = _occurred_at(message.edit_date or message.date, received_at)
        direction = _direction(name, message)
        cause = self.ids.message_cause(self.source_id, str(thread), external)
        if is_edit:
            # An edit's own instant is no key: two edits may share a second. Telegram repeats an
            # update under the same number, so the number names the edit.
            key = (str(thread), external, str(update.update_id))
            cause = self.ids.derive("cau", self.source_id, "edit", *key)
        quoted = _quoted(message)
        reply_to = external_id(quoted, 0, moved_to) if quoted else None
        return InboundReceived(
            cause=cause,
            kind="edit" if is_edit else "message",
            direction=direction,
            channel=Channel.TELEGRAM,
            source_id=self.source_id,
            conversation_id=self.ids.conversation(self.source_id, str(thread)),
            thread=str(thread),
            customer_id=self._customer(thread, message),
            sender=_sender(message),
            message_id=self._message_id(thread, message, external),
            external_message_id=external,
            content=content,
            occurred_at=happened if is_edit else sent_at,
            received_at=received_at,
            reply_to=self._message_id(thread, quoted, reply_to) if quoted and reply_to else None,
            reply_to_external=reply_to,
            customer=_customer(message) if direction == "outgoing" else None,
            sent_at=sent_at if is_edit else None,
            message_cause=self.ids.message_cause(self.source_id, str(thread), external)
            if is_edit
            else None,
            album=message.media_group_id is not None,
        )

    def deletions(
        self, deleted: DeletedMessages, received_at: datetime
    ) -> Iterator[InboundDeleted]:
        """So many at once. A message is deleted once, so its own ids are key enough."""
        thread = Thread(str(deleted.chat.id))
        if deleted.business_connection_id is not None:
            thread = Thread(str(deleted.chat.id), deleted.business_connection_id, "business")
        ids, key = self.ids, (self.source_id, str(thread))
        numbers = [str(one) for one in dict.fromkeys(deleted.message_ids)]
        for begin in range(0, len(numbers), DELETED_AT_ONCE):
            first, *more = numbers[begin : begin + DELETED_AT_ONCE]
            yield InboundDeleted(
                cause=ids.derive("cau", self.source_id, "deleted", str(thread), first, *more),
                channel=Channel.TELEGRAM,
                source_id=self.source_id,
                conversation_id=ids.conversation(*key),
                thread=str(thread),
                customer_id=ids.customer(self.source_id, thread.chat_id),
                message_id=ids.message(*key, first),
                external_message_id=first,
                occurred_at=received_at,
                received_at=received_at,
                more=tuple(more),
            )

    def _pressed(
        self, update: Update, query: CallbackQuery, received_at: datetime, origin: str | None
    ) -> InboundReceived:
        """What the button says is what the person says, of whom ``query.from`` tells: the message
        above the button is our own."""
        message, user = query.message, query.sender
        thread, quoted, customer = Thread(str(user.id)), None, str(user.id)
        if message is not None:
            thread = thread_of(message, origin)
            quoted = external_id(message, 0, str(message.chat.id) if origin else None)
            customer = _customer_key(thread, message)
        text = _button_text(query) or query.data or query.game_short_name or ""
        external = f"callback:{short(query.id)}"
        return self._written(
            thread,
            customer,
            external,
            user,
            Content(text=short(text, _PRESSED_LONGEST) or doing_words("button", "", self.say)),
            received_at,
            title=message.chat.title if message else "",
            quoted=quoted,
        )

    def _done(
        self, update_id: int, kind: str, doing: Doing, received_at: datetime
    ) -> InboundReceived | Ignored:
        user = doing.sender or doing.user
        if user is None:
            return Ignored(kind)
        detail = f"@{doing.bot_user.username}" if doing.bot_user else doing.state
        return self._written(
            Thread(str(user.id)),
            str(user.id),
            f"u{update_id}",
            user,
            Content(text=doing_words(kind, detail, self.say)),
            received_at,
        )

    def _written(
        self,
        thread: Thread,
        customer: str,
        external: str,
        user: User,
        content: Content,
        received_at: datetime,
        *,
        title: str = "",
        quoted: str | None = None,
    ) -> InboundReceived:
        key = (self.source_id, str(thread))
        return InboundReceived(
            cause=self.ids.message_cause(*key, external),
            kind="message",
            direction="incoming",
            channel=Channel.TELEGRAM,
            source_id=self.source_id,
            conversation_id=self.ids.conversation(*key),
            thread=str(thread),
            customer_id=self.ids.customer(self.source_id, customer),
            sender=_user(user, title),
            message_id=self.ids.message(*key, external),
            external_message_id=external,
            content=content,
            occurred_at=received_at,
            received_at=received_at,
            reply_to=self.ids.message(*key, quoted) if quoted else None,
            reply_to_external=quoted,
        )

    def _is_ours(self, message: TelegramMessage) -> bool:
        return any(
            user is not None and str(user.id) == self.account
            for user in (message.sender, message.sender_business_bot)
        )

    def _customer(self, thread: Thread, message: TelegramMessage) -> str:
        return self.ids.customer(self.source_id, _customer_key(thread, message))

    def _message_id(self, thread: Thread, message: Named, external: str) -> str:
        """All parts of an album are one message."""
        name = f"album:{message.media_group_id}" if message.media_group_id else external
        return self.ids.message(self.source_id, str(thread), name)


def message_of(update: Update) -> tuple[str, TelegramMessage] | None:
    """The message that the update is about, and what it says of it."""
    for name in _MESSAGES:
        message: TelegramMessage | None = getattr(update, name)
        if message is not None:
            return name, message
    return None


def chat_of(update: Update) -> Chat | None:
    found = message_of(update)
    if found is not None:
        return found[1].chat
    query = update.callback_query
    return query.message.chat if query is not None and query.message is not None else None


def is_service(body: dict[str, Any]) -> bool:
    """Whether Telegram itself says something of the chat; else a person sent something."""
    messages = (body.get(name) for name in _MESSAGES)
    return any(isinstance(one, dict) and not SERVICE.isdisjoint(one) for one in messages)


def kind_of(body: dict[str, Any]) -> str:
    return next((key for key in body if key in KINDS), "other")


def _occurred_at(seconds: int, received_at: datetime) -> datetime:
    """The platform's time, never later than receipt, never before there was the platform.

    Telegram tells whole seconds; of what comes at once our clock knows the instant within that
    second, so that busy lists have an order. A message that is not known any more has no date.
    """
    try:
        told = max(datetime.fromtimestamp(seconds, UTC), _BIRTH)
    except (OverflowError, ValueError, OSError):
        return _BIRTH if seconds < 0 else received_at
    if not timedelta() <= received_at - told < _AT_ONCE:
        return min(told, received_at) if seconds else received_at
    received = received_at.replace(microsecond=received_at.microsecond // 1000 * 1000)
    return min(received, told + _LAST_OF_A_SECOND)


def _direction(name: str, message: TelegramMessage) -> Direction:
    """Who wrote in a business chat and is not the customer is the account's owner, with Telegram's
    own application. So are those who write for a channel: its posts, and their copies in the group
    where they are discussed; its answers to what is asked in private."""
    if name.endswith("channel_post") or message.is_automatic_forward:
        return "outgoing"
    topic, sender = message.direct_messages_topic, message.sender
    if topic is not None:
        asks = sender is not None and sender.id == (topic.user.id if topic.user else topic.topic_id)
        return "incoming" if asks and message.sender_chat is None else "outgoing"
    by_owner = (
        message.business_connection_id is not None
        and sender is not None
        and sender.id != message.chat.id
    )
    return "outgoing" if by_owner else "incoming"


def _customer_key(thread: Thread, message: TelegramMessage) -> str:
    """Whose the conversation is: the person's where it is one person's, else the group's."""
    topic = message.direct_messages_topic
    if thread.kind == "direct" and topic is not None and topic.user is not None:
        return str(topic.user.id)
    return thread.part if thread.kind in ("direct", "ephemeral") else thread.chat_id


def _customer(message: TelegramMessage) -> Sender:
    """Whose the chat is, where another wrote in it."""
    topic = message.direct_messages_topic
    if topic is not None and topic.user is not None:
        return _user(topic.user, "")
    chat = message.chat
    return Sender(
        external_id=str(chat.id),
        name=name_of(chat.title or name_of(chat.first_name, chat.last_name)),
        username=short(chat.username) if chat.username else None,
    )


def _sender(message: TelegramMessage) -> Sender:
    """In a group the conversation is the group's: its title stands beside the writer's name, and
    that of the forum's topic, if it is told."""
    title, quoted = message.chat.title, message.reply_to_message
    if quoted is not None and quoted.forum_topic_created is not None:
        title = name_of(title, quoted.forum_topic_created.name, separator=" · ")
    if message.sender_chat is not None or message.sender is None:
        chat = message.sender_chat or message.chat
        name = name_of(chat.title, message.author_signature, title, separator=" · ")
        return Sender(external_id=str(chat.id), name=name)
    return _user(message.sender, "" if message.direct_messages_topic is not None else title)


def _user(user: User, title: str) -> Sender:
    name = name_of(user.first_name, user.last_name)
    return Sender(
        external_id=str(user.id),
        name=name_of(name, title, separator=" · "),
        username=short(user.username) if user.username else None,
        language=short(user.language_code) if user.language_code else None,
    )


def _quoted(message: TelegramMessage) -> Named | None:
    """What a message answers: in a forum each quotes its topic's beginning, which is no answer."""
    quoted = message.reply_to_message
    return None if quoted is None or quoted.forum_topic_created is not None else quoted


def _button_text(query: CallbackQuery) -> str:
    keyboard = query.message.reply_markup if query.message is not None else None
    if keyboard is None or query.data is None:
        return ""
    buttons = (button for row in keyboard.inline_keyboard for button in row)
    return next((button.text for button in buttons if button.callback_data == query.data), "")
