"""What the team marks conversations, cases and messages with, as it happens."""

from libs.events.conversation.case import ConversationEvent
from libs.events.marks import Emotion, FieldValue, MarkKind
from libs.events.registry import public
from libs.events.topics import Topic


@public("parley.conversation.marked-read.v1", Topic.CONVERSATION)
class MarkedRead(ConversationEvent):
    """Somebody of the team has read what the customer wrote: it counts for all of them."""

    member_id: str


@public("parley.conversation.marked-unread.v1", Topic.CONVERSATION)
class MarkedUnread(ConversationEvent):
    """Somebody wants the conversation to be looked at again."""

    member_id: str


@public("parley.conversation.flagged.v1", Topic.CONVERSATION)
class Flagged(ConversationEvent):
    """The conversation is to be found again easily."""

    member_id: str


@public("parley.conversation.unflagged.v1", Topic.CONVERSATION)
class Unflagged(ConversationEvent):
    """The conversation need not be found again as easily as while it was flagged."""

    member_id: str


@public("parley.case.priority-set.v1", Topic.CONVERSATION)
class PrioritySet(ConversationEvent):
    """How urgent the case is; ``case.priority`` is it."""

    member_id: str


@public("parley.case.marks-changed.v1", Topic.CONVERSATION)
class MarksChanged(ConversationEvent):
    """Tags (the words) or labels (their ids) of one kind came to the case, or went."""

    member_id: str
    kind: MarkKind
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@public("parley.case.fields-set.v1", Topic.CONVERSATION, personal=("values",))
class FieldsSet(ConversationEvent):
    """Custom fields of the case, by id, say something else: null is nothing any more."""

    member_id: str
    values: dict[str, FieldValue | None]


@public("parley.message.marked.v1", Topic.CONVERSATION)
class MessageMarked(ConversationEvent):
    """What somebody of the team hears in a message; None: nothing any more."""

    message_id: str
    member_id: str
    emotion: Emotion | None = None
