"""How far the customer has got what was sent, as it becomes known."""

from libs.events.content import ReachedState
from libs.events.conversation import ConversationEvent
from libs.events.registry import Instant, public
from libs.events.topics import Topic


@public("parley.message.watermark-moved.v1", Topic.CONVERSATION)
class WatermarkMoved(ConversationEvent):
    """The customer got, or read, all that was sent until ``up_to``: kept, because a message's own
    receipt may come after it. Each message that it moves is told of besides.

    ``up_to`` None: until a message whose own receipt has not come yet.
    """

    state: ReachedState
    up_to: Instant | None = None
