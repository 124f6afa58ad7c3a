"""What was sent and did not arrive, and what is sent again."""

from typing import Literal

from libs.events.conversation import ConversationEvent, Response
from libs.events.registry import public
from libs.events.topics import Topic


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
