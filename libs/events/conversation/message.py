"""What was written in a conversation, and what became of it; what was withheld says nothing of a
case."""

from typing import Final, Literal

import msgspec

from libs.events.activity import ActivityKind, ActivityVariables
from libs.events.content import (
    Channel,
    Content,
    DeliveryState,
    Direction,
    ReachedState,
    Sender,
    Visibility,
)
from libs.events.conversation.case import Audience, ConversationEvent
from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic

_MESSAGE: Final = ("message.content", "message.sender", "message.permalink")


class Message(Body):
    """A message as everybody in the team sees it. ``member_id`` is the team's author.

    An outgoing message without a member was written with the platform's own application.
    ``public``: a comment, for all to read; ``permalink`` opens it in the social network.
    """

    message_id: str
    direction: Direction
    content: Content
    occurred_at: Instant
    sender: Sender | None = None
    member_id: str | None = None
    reply_to: str | None = None
    visibility: Visibility = "private"
    permalink: str | None = None


class Response(Body):
    """The team's answer to a turn of the customer's: ``waiting_since`` .. ``answered_at``."""

    waiting_since: Instant
    answered_at: Instant
    is_first: bool
    member_id: str | None = None


@public("parley.message.received.v1", Topic.CONVERSATION, personal=_MESSAGE)
class MessageReceived(ConversationEvent):
    """A customer's message. ``received_at`` is when ingest had it, for the latency to a screen.

    ``starts_turn`` is true where the customer begins to wait with this message.
    """

    message: Message
    received_at: Instant
    starts_turn: bool = False


@public("parley.message.sent.v1", Topic.CONVERSATION, personal=_MESSAGE)
class MessageSent(ConversationEvent):
    """The team's message: accepted to be sent, or seen as sent by the platform."""

    message: Message
    response: Response | None = None


@public("parley.message.edited.v1", Topic.CONVERSATION, personal=_MESSAGE)
class MessageEdited(ConversationEvent):
    """The message's whole content after the edit. ``member_id``: who of the team edited it here."""

    message: Message
    member_id: str | None = None


@public("parley.message.deleted.v1", Topic.CONVERSATION)
class MessageDeleted(ConversationEvent):
    """The customer does not see the message any more: the team took it back (``member_id``), or it
    was deleted on the platform."""

    message_id: str
    direction: Direction
    member_id: str | None = None


@public("parley.message.correction-failed.v1", Topic.CONVERSATION, personal=("content",))
class CorrectionFailed(ConversationEvent):
    """The channel did not edit or delete the message as the team had decided: the customer sees it
    as it was, and a deleted one counts as there again. ``content`` is what they have, null where
    that is not known."""

    message_id: str
    correction: Literal["edit", "delete"]
    reason: str
    reason_code: str
    content: Content | None = None


@public("parley.message.delivery-changed.v1", Topic.CONVERSATION)
class MessageDeliveryChanged(Body):
    """A sent message's delivery state moved. Its stream is the message's, not the conversation's.

    The audience is the one of the conversation when it was sent. ``attempt``: which sending of it,
    where members had it sent again.
    """

    conversation_id: str
    case_id: str
    message_id: str
    state: DeliveryState
    recorded_at: Instant
    audience: Audience | None = None
    reason: str | None = None
    reason_code: str | None = None
    attempt: int = 1


@public("parley.message.watermark-moved.v1", Topic.CONVERSATION)
class WatermarkMoved(ConversationEvent):
    """The customer got, or read, all that was sent until ``up_to``: kept, because a message's own
    receipt may come after it. Each message that it moves is told of besides.

    ``up_to`` None: until a message whose own receipt has not come yet.
    """

    state: ReachedState
    up_to: Instant | None = None


@public("parley.message.sending-failed.v1", Topic.CONVERSATION)
class SendingFailed(ConversationEvent):
    """The customer does not have the message, or (``uncertain``) nobody knows whether they do:
    ``member_id``, who had it sent, is to be told. ``attempt`` is 1 for the first sending."""

    message_id: str
    attempt: int
    member_id: str
    state: Literal["failed", "uncertain"]
    reason: str | None = None
    reason_code: str | None = None


@public("parley.answer.taken-back.v1", Topic.CONVERSATION)
class AnswerTakenBack(ConversationEvent):
    """A message was counted as an answer, and is none, for it did not arrive.

    It was one in ``answered_case_id``, which may be an earlier case than ``case``; ``was_first``:
    that case's first. ``withdrawn`` are the sequences of this conversation's events whose
    ``response`` or ``starts_turn`` holds no more. ``response`` is the answer that the customer has
    instead, if there is one: the message of the event at ``response_sequence``.
    """

    message_id: str
    answered_case_id: str
    was_first: bool
    withdrawn: tuple[int, ...] = ()
    response: Response | None = None
    response_sequence: int | None = None


@public("parley.message.resent.v1", Topic.CONVERSATION)
class MessageResent(ConversationEvent):
    """``member_id`` had a message sent once more, whose sending had failed or has no known end.
    It is an answer at this time: ``response``, where the customer waited."""

    message_id: str
    attempt: int
    member_id: str
    response: Response | None = None


@public("parley.message.withheld.v1", Topic.CONVERSATION, personal=_MESSAGE)
class MessageWithheld(Body):
    """A blocked customer wrote. It is kept, and is nobody's concern: it opens no case, begins no
    turn, and is told to nobody, which is why it is not a received message with a sign on it."""

    conversation_id: str
    customer_id: str
    source_id: str
    channel: Channel
    location_id: str
    message: Message
    received_at: Instant
    recorded_at: Instant


@public("parley.message.edit-withheld.v1", Topic.CONVERSATION, personal=_MESSAGE)
class EditWithheld(Body):
    """A blocked customer edited a message, which they may have written before they were blocked.
    Kept, and told to nobody, as what they write is; ``message`` has its whole content."""

    conversation_id: str
    customer_id: str
    source_id: str
    channel: Channel
    location_id: str
    message: Message
    recorded_at: Instant


@public("parley.note.added.v1", Topic.CONVERSATION, personal=("text",))
class NoteAdded(ConversationEvent):
    """Text that only the team sees; ``mentions`` are the members who are to be told of it."""

    note_id: str
    member_id: str
    text: str
    mentions: tuple[str, ...] = ()


@public("parley.activity.recorded.v1", Topic.CONVERSATION, personal=("variables",))
class ActivityRecorded(ConversationEvent):
    """The customer did something elsewhere: subscribed, ordered, paid. Only the team sees it."""

    activity_id: str
    activity: ActivityKind
    member_id: str
    variables: ActivityVariables = msgspec.field(default_factory=dict)
