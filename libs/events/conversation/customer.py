"""What a conversation is told of its customer: known, blocked, erased."""

from libs.events.conversation.case import ConversationEvent
from libs.events.customer import Card, FunnelStatus
from libs.events.registry import public
from libs.events.topics import Topic


@public("parley.conversation.customer-known.v1", Topic.CONVERSATION, personal=("name", "card"))
class CustomerKnown(ConversationEvent):
    """What lists show of the customer, or are asked by, is another: they were merged, split, or
    their card was edited; or the thread has just begun, and ``member_id`` wrote on the card before.
    ``primary_id`` is the customer whose card it is; without ``name`` the channel's stands."""

    member_id: str
    primary_id: str
    name: str | None = None
    card: Card = Card()
    funnel_status: FunnelStatus = "reached_out"
    sales_plans: tuple[str, ...] = ()


@public("parley.conversation.customer-blocked.v1", Topic.CONVERSATION)
class CustomerBlocked(ConversationEvent):
    """From now on the conversation keeps what the customer writes, and tells nobody."""

    member_id: str


@public("parley.conversation.customer-unblocked.v1", Topic.CONVERSATION)
class CustomerUnblocked(ConversationEvent):
    """What the customer writes from now on opens cases again."""

    member_id: str


@public("parley.conversation.customer-erased.v1", Topic.CONVERSATION)
class CustomerErased(ConversationEvent):
    """``member_id`` had the customer forgotten. Whoever keeps anything of what was said in the
    conversation before, or of who the customer is, forgets it too."""

    member_id: str


@public("parley.conversation.attachments-erased.v1", Topic.CONVERSATION)
class AttachmentsErased(ConversationEvent):
    """Files of what was forgotten: whoever keeps them deletes them."""

    member_id: str
    attachment_ids: tuple[str, ...]
