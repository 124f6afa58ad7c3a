"""A conversation's state: what the rules need, and the head that a list shows. It does not grow."""

from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from libs.events.content import Channel, Content, Direction, Post, ReachedState, Visibility
from libs.events.customer import FunnelStatus
from libs.events.marks import FieldValue, Priority

CaseState = Literal["routing", "new", "active", "done"]

PREVIEW_CHARACTERS: Final = 140
# The number of the case of a conversation that has none yet: all that came was withheld.
NO_CASE: Final = 0
# A delivery's receipt names a message, not its case. Most come within seconds, so the latest few
# answer nearly all; for an older one the stream itself is read.
RECENTLY_SENT: Final = 8
# More than any case needs, and few enough to be part of each event that tells of the case.
PARTICIPANTS_AT_MOST: Final = 50


class Thread(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where the conversation takes place; it never changes. ``thread`` is the platform's id.

    ``post``: of the comments of one author, what they are under.
    """

    workspace_id: str
    conversation_id: str
    source_id: str
    channel: Channel
    thread: str
    post: Post | None = None


class Offer(msgspec.Struct, frozen=True, gc=False):
    """The case is offered to ``member_id``, who has neither accepted nor declined it yet."""

    member_id: str
    offered_by: str
    at: datetime


class Case(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The latest case. Times are fact times, none before ``opened_at``.

    ``number`` counts within the conversation; ``short_number`` is unique in the workspace, 0 where
    the case was opened before cases had one. ``held_since``: when the present responsible got it.
    ``responsible_before``: who had the conversation's case before, or this one before it came back
    to New. ``due_at``: until when it is to be dealt with. ``recorded_at``: when the case's opening
    was written down, from which the wait for routing counts.
    """

    case_id: str
    number: int
    state: CaseState
    location_id: str
    opened_at: datetime
    opened_by: Literal["customer", "team"]
    recorded_at: datetime
    group_id: str | None = None
    responsible: str | None = None
    held_since: datetime | None = None
    responsible_before: str | None = None
    participants: tuple[str, ...] = ()
    offer: Offer | None = None
    due_at: datetime | None = None
    waiting_since: datetime | None = None
    first_response_at: datetime | None = None
    last_message_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    short_number: int = 0
    priority: Priority = "none"
    status: str | None = None
    type: str | None = None
    tags: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    fields: dict[str, FieldValue] = msgspec.field(default_factory=dict)

    @property
    def repeat(self) -> bool:
        return self.number > 1

    @property
    def assignees(self) -> tuple[str, ...]:
        """Those who work on the case: its responsible and the participants."""
        return (self.responsible, *self.participants) if self.responsible else self.participants

    @property
    def people(self) -> tuple[str, ...]:
        """Who sees the case for its own sake: its assignees, and whom it is offered to."""
        assignees = self.assignees
        if self.offer is None or self.offer.member_id in assignees:
            return assignees
        return (*assignees, self.offer.member_id)


class Head(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The last message, as a list shows it: the one that was written last, by the platform's time.

    ``shows``: what it is where it has no text, ``place`` or its first file's kind. ``deleted``: on
    the platform, or by the team.
    """

    direction: Direction
    occurred_at: datetime
    preview: str = ""
    message_id: str = ""
    visibility: Visibility = "private"
    shows: str = ""
    deleted: bool = False


class SentCase(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Which case a message was sent in."""

    message_id: str
    case_id: str


class Awaited(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A watermark up to a message (the platform's id) whose own receipt has not come yet."""

    state: ReachedState
    external: str


class Watermarks(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How far what was sent has got, by the platform's time of its sending."""

    delivered_up_to: datetime | None = None
    read_up_to: datetime | None = None
    awaited: tuple[Awaited, ...] = ()

    def up_to(self, state: ReachedState) -> datetime | None:
        return self.read_up_to if state == "read" else self.delivered_up_to


class MovedBack(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """When the conversation last went towards the end of a list, by what the list is ordered by:
    the customer did not wait any longer, the case's priority or due date became another. Times of
    recording, not of the facts."""

    waiting: datetime | None = None
    priority: datetime | None = None
    due: datetime | None = None


class KnownAs(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The customer whose card is shown, the name on it, if there is one, and what lists are asked
    by. ``edits`` tells one state of the card from a later one."""

    customer_id: str
    name: str | None = None
    edits: int = 0
    tags: tuple[str, ...] = ()
    has_phone: bool = False
    has_email: bool = False
    funnel_status: FunnelStatus = "reached_out"
    sales_plans: tuple[str, ...] = ()


class ConversationState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """``active_at`` orders the inbox: the last message, opening, closing or reopening.

    ``unread``: the customer wrote since somebody marked the conversation read. ``erasures``: how
    often the customer was forgotten; ``forgotten`` is the version up to which, the last time.
    ``blocked``: the customer is, and what they write is withheld; None: it was never told.
    ``known_as``: whose card is shown, once it is another's or has a name of its own.
    ``moved_back`` tells who pages through a list what may have been shown already.
    """

    thread: Thread
    customer_id: str
    customer_name: str
    case: Case
    active_at: datetime
    last_message: Head | None = None
    recently_sent: tuple[SentCase, ...] = ()
    unread: bool = False
    flagged: bool = False
    erasures: int = 0
    forgotten: int = 0
    watermarks: Watermarks = Watermarks()
    last_comment: str | None = None
    blocked: bool | None = None
    known_as: KnownAs | None = None
    moved_back: MovedBack = MovedBack()

    @property
    def shown_as(self) -> KnownAs:
        """Whose card is shown; without a name it is the channel's, ``customer_name``."""
        return self.known_as or KnownAs(self.customer_id)


def case_id_of(conversation_id: str, number: int) -> str:
    """Cases are numbered within their conversation, whose id is keyed: nothing else is needed."""
    return f"{conversation_id}.{number}"


def preview_of(content: Content) -> str:
    """The beginning of the text on one line; empty for a message without text."""
    return " ".join(content.text[: 4 * PREVIEW_CHARACTERS].split())[:PREVIEW_CHARACTERS]


def active(state: ConversationState, at: datetime) -> datetime:
    """The time of the last activity once something happens at ``at``: it never goes back."""
    return max(state.active_at, at)


def shown_by(content: Content) -> str:
    """What a message is that has no text."""
    if content.text.strip():
        return ""
    if content.attachments:
        return content.attachments[0].kind
    return "place" if content.point else ""


def with_last_text(
    state: ConversationState, message_id: str, content: Content, *, is_back: bool = False
) -> ConversationState:
    """With another beginning of the last message, if that is the one. What is deleted stays so,
    unless it ``is_back``."""
    head = state.last_message
    if head is None or head.message_id != message_id or (head.deleted and not is_back):
        return state
    shown = replace(head, preview=preview_of(content), shows=shown_by(content), deleted=False)
    return replace(state, last_message=shown)


def with_last_deleted(state: ConversationState, message_id: str) -> ConversationState:
    """With nothing of the last message, if that is the one."""
    head = state.last_message
    if head is None or head.message_id != message_id:
        return state
    return replace(state, last_message=replace(head, preview="", shows="", deleted=True))
