"""The life of a case, and whose it is: each event carries the case as it is after it.

So a consumer needs no memory of its own to know the case: the figures (when the customer began
to wait, when the team answered) are measured once, by the aggregate, and travel with the facts.
"""

from typing import Literal

from libs.events.content import (
    Channel,
)
from libs.events.marks import Priority
from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic

CaseState = Literal["routing", "new", "active", "done"]


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
    """A closed case goes on with ``case.responsible``."""

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
    """``member_id`` took an active case over from another, who stays as a participant."""

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
