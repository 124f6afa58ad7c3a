"""A blocked customer's conversation: what they write is kept, and troubles nobody.

A withheld message opens no case, starts no turn, moves nothing up in a list. Where the thread was
never seen before there is no case for it to be in: the state then has the case number 0, done from
the beginning, which is nobody's and is counted nowhere.
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from libs.events.content import Channel, Content, Post, Sender, Visibility
from services.conversation.domain.conversation.life import CaseEvent, Life, MemberEvent
from services.conversation.domain.conversation.state import (
    NO_CASE,
    Case,
    ConversationState,
    Thread,
    case_id_of,
)
from services.conversation.domain.events import Event, stored


class Begins(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Whose and where the thread is of a stream that begins with a withheld message."""

    workspace_id: str
    conversation_id: str
    source_id: str
    channel: Channel
    customer_id: str
    location_id: str


@stored(
    "conversation.message-withheld.v1",
    personal=("content", "sender", "thread", "post", "permalink"),
)
class MessageWithheld(Event[ConversationState], frozen=True, kw_only=True):
    """A blocked customer wrote. ``begins``, ``thread`` and ``post`` are there where the stream
    begins, and ``erasures``: how often the customer had been forgotten before."""

    case: int
    message_id: str
    external_message_id: str
    content: Content
    sender: Sender
    received_at: datetime
    reply_to: str | None = None
    begins: Begins | None = None
    thread: str | None = None
    visibility: Visibility = "private"
    post: Post | None = None
    permalink: str | None = None
    erasures: int = 0

    def apply(self, state: ConversationState | None) -> ConversationState:
        if state is not None:
            return replace(state, customer_name=self.sender.name or state.customer_name)
        begins = self.begins
        if begins is None:
            raise ValueError("the first message of a stream says of which thread it is")
        return ConversationState(
            thread=Thread(
                begins.workspace_id,
                begins.conversation_id,
                begins.source_id,
                begins.channel,
                self.thread or "",
                self.post,
            ),
            customer_id=begins.customer_id,
            customer_name=self.sender.name,
            case=Case(
                case_id=case_id_of(begins.conversation_id, NO_CASE),
                number=NO_CASE,
                state="done",
                location_id=begins.location_id,
                opened_at=self.at,
                opened_by="customer",
                recorded_at=self.received_at,
                closed_at=self.at,
            ),
            active_at=self.at,
            blocked=True,
            erasures=self.erasures,
        )


@stored("conversation.edit-withheld.v1", personal=("content", "sender"))
class EditWithheld(CaseEvent, frozen=True, kw_only=True):
    """A blocked customer edited ``message_id``; ``content`` is the whole of it after the edit. To
    the team the message says what it said when it was heard."""

    message_id: str
    content: Content
    sender: Sender
    reply_to: str | None = None

    def change(self, state: ConversationState) -> ConversationState:
        return state


@stored("conversation.customer-blocked.v1")
class CustomerBlocked(MemberEvent, frozen=True, kw_only=True):
    """What the customer writes from now on is withheld."""

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, blocked=True)


@stored("conversation.customer-unblocked.v1")
class CustomerUnblocked(MemberEvent, frozen=True, kw_only=True):
    """The customer's messages open cases again."""

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, blocked=False)


class Blocking(Life):
    """The conversation's part of the block, which is decided on the customer."""

    def set_blocked(self, member_id: str, *, blocked: bool) -> None:
        """An open case stays as it is: whoever blocks may close it, or not."""
        if self.state is None or bool(self.state.blocked) == blocked:
            return
        change = CustomerBlocked if blocked else CustomerUnblocked
        self._trigger(change(at=self.at(self.now), case=self.case.number, member_id=member_id))
