"""What happened in a conversation. Each event carries the case as it is after it.

So a consumer needs no memory of its own to know the case: the figures (when the customer began
to wait, when the team answered) are measured once, by the aggregate, and travel with the facts.
"""

from typing import Final, Literal

import msgspec

from libs.events.activity import ActivityKind, ActivityVariables
from libs.events.content import (
    Channel,
    Content,
    DeliveryState,
    Direction,
    Sender,
    Visibility,
)
from libs.events.customer import Card, FunnelStatus
from libs.events.marks import Priority
from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic

CaseState = Literal["routing", "new", "active", "done"]

_MESSAGE: Final = ("message.content", "message.sender", "message.permalink")


class Audience(Body):
    """Who may see a case: members of its location who may see its group, and those named.

    ``group_id`` None: no group yet, so everybody of the location. A case in routing has no
    audience at all (None where an Audience is expected).
    """

    location_id: str
    group_id: str | None = None
    member_ids: tuple[str, ...] = ()


class Offer(Body):
    """The case is offered to ``member_id``, who has neither accepted nor declined it yet."""

    member_id: str
    offered_by: str
    offered_at: Instant


class CaseFacts(Body):
    """The case after the event.

    ``waiting_since`` is the first customer message that nobody has answered, None when the
    team's answer is the last word. ``first_response_at`` is the first human answer.
    ``responsible_before`` is who was responsible for the case before this one. ``short_number``
    is the case's number in its workspace, 0 where it was opened before cases had one. ``unread``
    and ``flagged`` are of the whole conversation. ``status``, ``type``, ``topics``, ``reasons``
    and ``components`` are ids of labels. ``withheld``: there is no case yet, because all that came
    was a blocked customer's; it is not to be counted.
    """

    case_id: str
    conversation_id: str
    source_id: str
    channel: Channel
    location_id: str
    customer_id: str
    state: CaseState
    opened_at: Instant
    opened_by: Literal["customer", "team"]
    repeat: bool = False
    group_id: str | None = None
    responsible: str | None = None
    responsible_before: str | None = None
    participants: tuple[str, ...] = ()
    offer: Offer | None = None
    due_at: Instant | None = None
    waiting_since: Instant | None = None
    first_response_at: Instant | None = None
    last_message_at: Instant | None = None
    closed_at: Instant | None = None
    closed_by: str | None = None
    short_number: int = 0
    unread: bool = False
    flagged: bool = False
    priority: Priority = "none"
    status: str | None = None
    type: str | None = None
    tags: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    withheld: bool = False


class ConversationEvent(Body):
    """Base of all: the case after the event and who may see it before and after.

    ``recorded_at`` is when Parley wrote it down; the envelope's time is the fact's.
    """

    case: CaseFacts
    recorded_at: Instant
    audience_before: Audience | None = None
    audience_after: Audience | None = None


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


@public("parley.case.opened.v1", Topic.CONVERSATION)
class CaseOpened(ConversationEvent):
    """A case began: the customer's first message, or the first after Done.

    ``member_id`` opened it by hand.
    """

    member_id: str | None = None


@public("parley.case.routed.v1", Topic.CONVERSATION)
class CaseRouted(ConversationEvent):
    """A case left routing for New, in the group of ``case.group_id`` or in none."""

    reason: Literal["autoforward", "undecided"]


@public("parley.case.taken.v1", Topic.CONVERSATION)
class CaseTaken(ConversationEvent):
    """``member_id`` is responsible now: of two who take at once, the one who won."""

    member_id: str


@public("parley.case.closed.v1", Topic.CONVERSATION)
class CaseClosed(ConversationEvent):
    """Done. The figures of the case stand in ``case``."""

    member_id: str


@public("parley.case.reopened.v1", Topic.CONVERSATION)
class CaseReopened(ConversationEvent):
    """A closed case goes on, in the hands of ``case.responsible``."""

    member_id: str


@public("parley.case.assigned.v1", Topic.CONVERSATION)
class CaseAssigned(ConversationEvent):
    """``member_id`` gave the case to ``case.responsible``, who is to be told of it."""

    member_id: str


@public("parley.case.unassigned.v1", Topic.CONVERSATION)
class CaseUnassigned(ConversationEvent):
    """``member_id`` put the case back into its group's New: nobody is responsible now."""

    member_id: str


@public("parley.case.forwarded.v1", Topic.CONVERSATION)
class CaseForwarded(ConversationEvent):
    """``member_id`` put the case into the New of ``case.group_id``, whose members are to look."""

    member_id: str


@public("parley.case.taken-over.v1", Topic.CONVERSATION)
class CaseTakenOver(ConversationEvent):
    """``member_id`` took an active case out of another's hands, who stays as a participant."""

    member_id: str


@public("parley.case.member-gone.v1", Topic.CONVERSATION)
class MemberGone(ConversationEvent):
    """``member_id`` was deactivated, and has nothing to do with the case any more. ``returned``: it
    was theirs, and is in its group's New again, of which owner and admins are to be told, once for
    each ``deactivation``."""

    member_id: str
    returned: bool
    deactivation: int


@public("parley.case.due-changed.v1", Topic.CONVERSATION)
class CaseDueChanged(ConversationEvent):
    """``case.due_at`` is another one, or none."""

    member_id: str


@public("parley.case.transfer-offered.v1", Topic.CONVERSATION)
class TransferOffered(ConversationEvent):
    """``member_id`` offered the case to ``to``, who is to be told and to answer."""

    member_id: str
    to: str


@public("parley.case.transfer-accepted.v1", Topic.CONVERSATION)
class TransferAccepted(ConversationEvent):
    """``member_id`` accepted, and is responsible now."""

    member_id: str


@public("parley.case.transfer-declined.v1", Topic.CONVERSATION)
class TransferDeclined(ConversationEvent):
    """``member_id`` does not want the case: the responsible is to be told that they keep it."""

    member_id: str


@public("parley.case.transfer-withdrawn.v1", Topic.CONVERSATION)
class TransferWithdrawn(ConversationEvent):
    """``member_id`` took back what had been offered to ``to``."""

    member_id: str
    to: str


@public("parley.case.participant-added.v1", Topic.CONVERSATION)
class ParticipantAdded(ConversationEvent):
    """``participant`` may write to the customer now; ``member_id`` added them."""

    member_id: str
    participant: str


@public("parley.case.participant-removed.v1", Topic.CONVERSATION)
class ParticipantRemoved(ConversationEvent):
    """``participant`` may not write to the customer any more; ``member_id`` removed them."""

    member_id: str
    participant: str


@public("parley.case.participant-left.v1", Topic.CONVERSATION)
class ParticipantLeft(ConversationEvent):
    """``member_id`` is no participant any more, by their own will."""

    member_id: str


@public("parley.case.sent-to-crm.v1", Topic.CONVERSATION)
class CaseSentToCrm(ConversationEvent):
    """``member_id`` asks for the case and its customer to go to the workspace's CRM."""

    member_id: str


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
