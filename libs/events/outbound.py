"""What conversation asks ingest to send."""

from libs.events.content import Channel, Content
from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic


@public("parley.outbound.requested.v1", Topic.OUTBOUND, personal=("thread", "content"))
class OutboundRequested(Body):
    """Send one message to the customer, at most once; ``message_id`` names the attempt."""

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
