"""What ingest tells of the platforms: messages that came in, those that went, and what became of
those sent."""

from typing import Literal

from libs.events.content import (
    Channel,
    Content,
    DeliveryState,
    Direction,
    Post,
    ReachedState,
    Sender,
    Visibility,
)
from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic


@public(
    "parley.inbound.received.v1",
    Topic.INBOUND,
    personal=("thread", "sender", "content", "post", "permalink", "customer"),
)
class InboundReceived(Body):
    """One message, or one edit of a message, as a platform's webhook told it.

    ``cause`` is the same however often the platform repeats the update, and differs between a
    message and its edit. ``direction`` is outgoing for what the account's owner wrote with the
    platform's own application. ``occurred_at`` is the platform's time, never later than
    ``received_at``. ``reply_to`` is the derived id of the quoted message and
    ``reply_to_external`` the platform's: a message sent by Parley is found by the latter.

    A comment is ``public``; ``post`` is what it is under, told with every message of a thread of
    comments. ``permalink`` opens the message in the social network.

    ``customer`` is whose the thread is, where another wrote. Of an edit, ``sent_at`` is when the
    message was written and ``message_cause`` with which cause it came, or will: an edit may
    overtake its message. ``album``: the platform shows several messages as one, all of them under
    this ``message_id``; each brings its own part of the content.
    """

    cause: str
    kind: Literal["message", "edit"]
    direction: Direction
    channel: Channel
    source_id: str
    conversation_id: str
    thread: str
    customer_id: str
    sender: Sender
    message_id: str
    external_message_id: str
    content: Content
    occurred_at: Instant
    received_at: Instant
    reply_to: str | None = None
    reply_to_external: str | None = None
    visibility: Visibility = "private"
    post: Post | None = None
    permalink: str | None = None
    customer: Sender | None = None
    sent_at: Instant | None = None
    message_cause: str | None = None
    album: bool = False


@public("parley.inbound.deleted.v1", Topic.INBOUND, personal=("thread",))
class InboundDeleted(Body):
    """One message of a thread was deleted on the platform, whoever wrote it there.

    ``message_id`` is derived as that of a message that came in; one sent by Parley is found by
    ``external_message_id``. ``cause`` is the same however often the platform tells. ``occurred_at``
    is when it was told, where the platform does not say when it happened. ``more`` are the
    platform's ids of further messages of the thread that were deleted with it.
    """

    cause: str
    channel: Channel
    source_id: str
    conversation_id: str
    thread: str
    customer_id: str
    message_id: str
    external_message_id: str
    occurred_at: Instant
    received_at: Instant
    more: tuple[str, ...] = ()


@public("parley.delivery.changed.v1", Topic.DELIVERY)
class DeliveryChanged(Body):
    """What became of a message that conversation had asked to send.

    ``uncertain``: the attempt was begun and its end is not known (a crash between the platform's
    call and its answer); a person may send it again, Parley never does by itself.
    ``reason`` is the platform's, in its words; ``reason_code`` is stable. ``attempt`` is the
    request's.
    """

    message_id: str
    conversation_id: str
    source_id: str
    state: DeliveryState
    occurred_at: Instant
    external_message_ids: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None
    attempt: int = 1


@public("parley.delivery.watermark.v1", Topic.DELIVERY)
class DeliveryWatermark(Body):
    """How far what was sent has got: everything up to a point was delivered, or read.

    The point is ``up_to`` (what the platform took at this instant or before it, by the clock of
    ``occurred_at`` in the messages' ``sent``) or ``up_to_external`` (the platform's id of a message
    of the team's: it and what was taken before it). One of the two is given.
    """

    conversation_id: str
    source_id: str
    state: ReachedState
    occurred_at: Instant
    up_to: Instant | None = None
    up_to_external: str | None = None


@public("parley.delivery.correction-failed.v1", Topic.DELIVERY)
class CorrectionFailed(Body):
    """The channel did not edit or delete a message as conversation had asked: the customer sees it
    as it was. ``reason`` is the platform's, in its words; ``reason_code`` is stable."""

    request_id: str
    message_id: str
    conversation_id: str
    source_id: str
    correction: Literal["edit", "delete"]
    occurred_at: Instant
    reason: str
    reason_code: str
