"""What a blocked customer writes: kept, and told to nobody. So it says nothing of a case."""

from typing import Final

from libs.events.content import Channel
from libs.events.conversation import Message
from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic

_MESSAGE: Final = ("message.content", "message.sender", "message.permalink")


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
