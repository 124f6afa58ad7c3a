"""What conversation asks ingest to send, and to change of what was sent."""

from libs.events.content import Channel, Content, Post, Visibility
from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic


@public("parley.outbound.requested.v1", Topic.OUTBOUND, personal=("thread", "content", "post"))
class OutboundRequested(Body):
    """Send one message to the customer, at most once for each ``attempt``, which it names together
    with ``message_id``. A further attempt is made only where a member asks for it, once the one
    before has ended: of the parts that the platform has not taken as ``taken`` already.

    ``public``: for all to read, under ``post``. ``comment_external`` is the platform's id of the
    customer's latest comment there, which a public answer stands under and a private one follows.

    ``reply_to_external`` is the platform's id of the message that this one quotes. Where the team
    quotes what it sent a moment ago that is not known yet: ``reply_to`` then names the message, and
    the id is what its sending, which was asked for earlier, has come to.
    """

    message_id: str
    conversation_id: str
    case_id: str
    source_id: str
    channel: Channel
    thread: str
    content: Content
    requested_at: Instant
    member_id: str
    reply_to_external: str | None = None
    visibility: Visibility = "private"
    post: Post | None = None
    comment_external: str | None = None
    reply_to: str | None = None
    attempt: int = 1
    taken: tuple[str, ...] = ()


@public("parley.outbound.edit-requested.v1", Topic.OUTBOUND, personal=("thread", "content"))
class OutboundEditRequested(Body):
    """Let a message that was sent say ``content`` from now on; its attachments are as they were.

    ``request_id`` names the attempt. ``external_message_ids`` are the platform's ids of its parts,
    in order; a channel of Parley's own has none. Doing it twice is as doing it once.
    """

    request_id: str
    message_id: str
    conversation_id: str
    case_id: str
    source_id: str
    channel: Channel
    thread: str
    content: Content
    external_message_ids: tuple[str, ...]
    requested_at: Instant
    member_id: str


@public("parley.outbound.delete-requested.v1", Topic.OUTBOUND, personal=("thread",))
class OutboundDeleteRequested(Body):
    """Take a message that was sent away from the customer; the fields are those of an edit."""

    request_id: str
    message_id: str
    conversation_id: str
    case_id: str
    source_id: str
    channel: Channel
    thread: str
    external_message_ids: tuple[str, ...]
    requested_at: Instant
    member_id: str
