"""What becomes of messages after they were sent: taken back, or not, where the channel refused."""

from typing import Literal

from libs.events.content import Content, Direction
from libs.events.conversation import ConversationEvent
from libs.events.registry import public
from libs.events.topics import Topic


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
