"""Conversations: their pages and timelines, and what is said in them."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from libs.events.activity import ActivityVariables
from libs.events.api.filters import Tab
from libs.events.api.requests import RequestBody
from libs.events.api.values import Text
from libs.events.content import (
    Attachment,
    Button,
    Content,
    DeliveryState,
    Direction,
    GeoPoint,
    Post,
    Sender,
    Visibility,
)
from libs.events.conversation.case import CaseFacts
from libs.events.marks import Emotion, FieldValue
from libs.events.registry import Body

ATTACHMENTS_AT_MOST: Final = 20  # of one message
FILE_NAME_MAX_CHARACTERS: Final = 255

_Id = Annotated[str, Meta(min_length=1, max_length=100)]


class CustomerRef(Body):
    """The person: the primary's id, and the card's name, else the one that the channel tells."""

    customer_id: str
    name: str


class LastMessage(Body):
    """``preview`` is the beginning of the text, at most 140 characters; of a file or a place
    without text, what it is, in the caller's language."""

    direction: Direction
    occurred_at: datetime
    preview: str = ""


class ConversationView(Body):
    """A row of the inbox and the head of an open conversation; ``case`` is the latest case.

    ``fields``: what the custom fields of that case say, by the fields' ids. ``as_of``: it is the
    conversation as it stood then; ``erased``: what was said and who said it was forgotten since.
    ``has_draft``: whoever asks has an unsent draft here; said in lists and of one conversation,
    not after a command. ``post``: what its comments are under; null in a direct conversation.
    """

    conversation_id: str
    version: int
    customer: CustomerRef
    case: CaseFacts
    last_message: LastMessage | None = None
    fields: dict[str, FieldValue] = msgspec.field(default_factory=dict)
    as_of: datetime | None = None
    erased: bool = False
    has_draft: bool = False
    post: Post | None = None


class ConversationPage(Body):
    """``next`` is the cursor of the following page, None on the last one. ``common_words``: what
    was looked for are words that nearly every text has, by which names and tags alone are found."""

    items: tuple[ConversationView, ...]
    next: str | None = None
    common_words: bool = False


class Delivery(Body):
    state: DeliveryState
    reason: str | None = None
    reason_code: str | None = None


class SendingAttempt(Body):
    """One sending of a message: the first, or one that a member asked for again, and how far it has
    got."""

    attempt: int
    at: datetime
    member_id: str
    state: DeliveryState
    reason: str | None = None
    reason_code: str | None = None


class FailedCorrection(Body):
    """The channel did not edit or delete the message: the customer has it as it is shown.
    ``content`` is what an edit was to make of it."""

    correction: Literal["edit", "delete"]
    at: datetime
    reason: str
    reason_code: str
    content: Content | None = None


class WithheldEdit(Body):
    """What a customer made of their message while they were blocked."""

    at: datetime
    content: Content


class TimelineItem(Body):
    """A message, a note, a system message (the trace of an action, never sent to the customer), or
    what the customer did elsewhere (``kind`` activity).

    Of an action, ``member_id`` did it and ``other_member_id`` is whom it concerns: who was given
    the case, or offered it, who was added or removed.

    ``at`` is the fact's time; ``position`` orders the items of a conversation and never changes.
    ``via_platform``: an outgoing message written with the platform's own application.
    ``withheld``: a blocked customer's message; ``withheld_edit``: their edit of one, whose
    ``content`` stays what was heard. ``text`` is a note's, or what a system message or
    an activity says in the reader's language: the text of ``key`` with its ``variables`` (names,
    counts, times in RFC 3339). ``deleted_at``: since when the customer does not see the message,
    because ``deleted_by`` (null: they themselves, or the platform; then ``content`` is empty) took
    it away. A message that is ``public`` is a comment, for all to read; ``permalink`` opens it in
    the social network.
    ``failed_correction``: the last one, where the channel refused it. ``delivery`` is of the latest
    sending; ``attempts`` has them all, oldest first, of a message that was sent again.
    """

    id: str
    kind: Literal["message", "note", "system", "activity"]
    at: datetime
    position: int
    case_id: str
    direction: Direction | None = None
    content: Content | None = None
    sender: Sender | None = None
    member_id: str | None = None
    reply_to: str | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    delivery: Delivery | None = None
    attempts: tuple[SendingAttempt, ...] = ()
    via_platform: bool = False
    emotion: Emotion | None = None
    withheld: bool = False
    text: str | None = None
    mentions: tuple[str, ...] = ()
    key: str | None = None
    other_member_id: str | None = None
    group_id: str | None = None
    due_at: datetime | None = None
    variables: ActivityVariables = msgspec.field(default_factory=dict)
    visibility: Visibility = "private"
    permalink: str | None = None
    failed_correction: FailedCorrection | None = None
    withheld_edit: WithheldEdit | None = None


class TimelinePage(Body):
    """Newest first; ``next`` is the cursor of the older page, asked for with the same ``as_of``.

    ``as_of`` and ``erased`` are as a conversation's.
    """

    items: tuple[TimelineItem, ...]
    next: str | None = None
    as_of: datetime | None = None
    erased: bool = False


class GivenAttachment(Attachment, forbid_unknown_fields=True):
    """An attachment as ingest described it."""

    attachment_id: _Id
    media_type: Annotated[str, Meta(min_length=1, max_length=255)]
    reference: Annotated[str, Meta(min_length=1, max_length=16_000)]
    file_name: Annotated[str, Meta(max_length=FILE_NAME_MAX_CHARACTERS)] | None = None
    size_bytes: Annotated[int, Meta(ge=0)] | None = None


class GivenPoint(GeoPoint, forbid_unknown_fields=True):
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    title: Annotated[str, Meta(max_length=200)] | None = None


class GivenButton(RequestBody):
    """What is under the message: ``data`` comes back when it is pressed, as a message that says
    ``text``; ``url`` is opened instead. One of the two. ``data`` has at most 64 bytes in UTF-8."""

    text: Annotated[str, Meta(min_length=1, max_length=64)]
    data: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    url: Annotated[str, Meta(pattern="^https?://[^ ]+$", max_length=2048)] | None = None


type GivenButtons = Annotated[
    tuple[Annotated[tuple[GivenButton, ...], Meta(min_length=1, max_length=8)], ...],
    Meta(max_length=100),
]


class GivenContent(RequestBody):
    """What a member writes: a ``Content``, of which nothing unknown is taken. How long its text may
    be, the channel says."""

    text: Text = ""
    attachments: Annotated[tuple[GivenAttachment, ...], Meta(max_length=ATTACHMENTS_AT_MOST)] = ()
    point: GivenPoint | None = None
    buttons: GivenButtons = ()

    def kept(self) -> Content:
        """As it stands in events."""
        point = self.point and GeoPoint(**msgspec.structs.asdict(self.point))
        attachments = (Attachment(**msgspec.structs.asdict(one)) for one in self.attachments)
        buttons = tuple(
            tuple(Button(**msgspec.structs.asdict(one)) for one in row) for row in self.buttons
        )
        return Content(text=self.text, attachments=tuple(attachments), point=point, buttons=buttons)


class SendMessage(RequestBody):
    """``reply_to``: the message to quote. ``close``: reply and close in one step.

    ``visibility``: a comment for all to read, or a direct message; null: as the last message was.
    """

    content: GivenContent
    reply_to: _Id | None = None
    close: bool = False
    visibility: Visibility | None = None


class Comment(Body):
    """Somebody else's comment under the same post, or the team's answer to them.

    ``conversation_id`` and ``case_number`` lead to their own case, where the reader may see it.
    """

    message_id: str
    direction: Direction
    content: Content
    at: datetime
    author: str = ""
    permalink: str | None = None
    conversation_id: str | None = None
    case_number: int | None = None


class CommentsPage(Body):
    """The newest first, of the authors who were active last; ``next`` leads to further ones."""

    items: tuple[Comment, ...]
    next: str | None = None


class Draft(RequestBody):
    """What a member has begun to write; an empty text is no draft."""

    text: Text
    reply_to: _Id | None = None


class DraftView(Body):
    """``saved_at`` is null, and the text empty, where there is no draft."""

    text: str = ""
    reply_to: str | None = None
    saved_at: datetime | None = None


class ReadAll(RequestBody):
    """``confirm``: it is done to all that is unread in the tab, and cannot be undone."""

    confirm: Literal[True]
    tab: Tab = "unread"


class AllRead(Body):
    """``more``: there was more than is done at once, so ask again."""

    read: int
    more: bool = False


class EditMessage(RequestBody):
    """What the message is to say; its attachments stay."""

    text: Text


class AddNote(RequestBody):
    """``mentions``: ids of the members who are to be told of it."""

    text: Text
    mentions: tuple[str, ...] = ()


class Sent(Body):
    """The answer to a message or a note: the new item and the conversation after it."""

    item: TimelineItem
    conversation: ConversationView


class CustomerMessage(Body):
    """A message as its customer may see it: no note, no member's id, no system message."""

    message_id: str
    direction: Direction
    content: Content
    occurred_at: datetime
    position: int


class CustomerTimeline(Body):
    """Oldest first. ``position`` of the last item is where to go on from."""

    items: tuple[CustomerMessage, ...]
    more: bool = False


class FindConversations(RequestBody):
    ids: tuple[str, ...]


class ConversationsInSight(Body):
    """Those of the ones asked for that a member may see."""

    visible: tuple[str, ...] = ()
