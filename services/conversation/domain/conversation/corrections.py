"""What becomes of a message after it was written: edited or deleted, by the team or elsewhere.

The team changes what Parley sent for it, by the rules of the channel; the change is asked of the
platform once it is decided. What the message is now was looked up before: it is not in the state.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from libs.events.channels import capabilities_of
from libs.events.content import Channel, Content, DeliveryState, Direction, Sender
from services.conversation.domain.conversation.life import CaseEvent, Life
from services.conversation.domain.conversation.state import (
    ConversationState,
    with_last_deleted,
    with_last_text,
)
from services.conversation.domain.events import stored
from services.conversation.domain.refusal import Refusal
from services.conversation.domain.variables import ChannelName, Member, Variable

Correction = Literal["edit", "delete"]


class WrittenByAnother(Refusal):
    """A member changes their own messages; who manages cases changes everybody's."""

    kind = "not-your-message"

    def __init__(self, member_id: str) -> None:
        super().__init__({"member": Member(member_id)}, member_id=member_id)
        self.member_id = member_id


class WrittenElsewhere(Refusal):
    """Not Parley sent it: the customer did, or the account's owner in the platform's own app."""

    kind = "not-sent-from-here"


class NotSentYet(Refusal):
    """The platform has not said yet, or never will, which of its messages it is."""

    kind = "message-not-sent"

    def __init__(self, delivery: DeliveryState) -> None:
        super().__init__(delivery=delivery)
        self.delivery = delivery


class AlreadyDeleted(Refusal):
    """The message was deleted at ``at``."""

    kind = "message-deleted"

    def __init__(self, at: datetime) -> None:
        super().__init__({"moment": at}, at=at)
        self.at = at


class MessageForgotten(Refusal):
    """What the message said was erased with its customer."""

    kind = "message-erased"


class NoTextToEdit(Refusal):
    """Text was no part of it, and the platform cannot put a part in."""

    kind = "message-without-text"


class ChannelRefuses(Refusal):
    """The channel lets it be done ``within`` a time that is over; zero: never."""

    kind = "channel-does-not-allow"

    def __init__(self, channel: Channel, correction: Correction, within: timedelta) -> None:
        hours = int(within.total_seconds() // 3600)
        told: dict[str, Variable] = {"channel": ChannelName(channel), "count": hours}
        super().__init__(told, correction, channel=channel, hours=hours)
        self.channel = channel
        self.correction = correction
        self.within = within


class SentBefore(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the team as it is now. ``member_id`` None: it was written elsewhere."""

    message_id: str
    member_id: str | None
    content: Content
    sent_at: datetime
    delivery: DeliveryState
    external_message_ids: tuple[str, ...] = ()
    deleted_at: datetime | None = None


@stored("conversation.message-edited.v1", personal=("content", "sender"))
class MessageEdited(CaseEvent, frozen=True, kw_only=True):
    """The message's whole content after the edit. An edit does not reopen and starts no turn.

    ``member_id``: who of the team edited it here; the platform, which has it under
    ``external_message_ids``, is then asked to edit it too. ``edited_at``: the platform's time, also
    where the case was not open yet. ``joined``: nobody edited it, a part of an album came, or went.
    """

    message_id: str
    direction: Direction
    content: Content
    sender: Sender | None = None
    reply_to: str | None = None
    member_id: str | None = None
    external_message_ids: tuple[str, ...] = ()
    edited_at: datetime | None = None
    joined: bool = False

    def change(self, state: ConversationState) -> ConversationState:
        return with_last_text(state, self.message_id, self.content)


@stored("conversation.message-deleted.v1")
class MessageDeleted(CaseEvent, frozen=True, kw_only=True):
    """The customer does not see the message any more, or deleted it.

    ``member_id`` and ``external_message_ids`` as of ``MessageEdited``.
    """

    message_id: str
    direction: Direction
    member_id: str | None = None
    external_message_ids: tuple[str, ...] = ()

    def change(self, state: ConversationState) -> ConversationState:
        return with_last_deleted(state, self.message_id)


class CustomerCopy(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer has of a message once a correction of it failed, as far as is known:
    ``content``, since ``edited_at`` (None: as it was sent). ``attempted``: what a failed edit was
    to make of it; ``asked`` is the version of the event that decided on the correction."""

    content: Content
    edited_at: datetime | None
    attempted: Content | None
    asked: int


@stored("conversation.correction-failed.v1", personal=("content", "attempted"))
class CorrectionFailed(CaseEvent, frozen=True, kw_only=True):
    """The channel did not do what was decided here: the customer sees the message as it was.

    A message is then not deleted, and one that was edited says ``content`` again, since
    ``edited_at``; ``attempted`` is what it was to say. ``asked``: the version of the event by which
    it was decided. Without a ``content`` it is not known what the customer has.
    """

    message_id: str
    correction: Correction
    reason: str
    reason_code: str
    asked: int = 0
    content: Content = msgspec.field(default_factory=Content)
    edited_at: datetime | None = None
    attempted: Content | None = None

    @property
    def is_known(self) -> bool:
        return self.content.erased or not self.content.is_empty

    def change(self, state: ConversationState) -> ConversationState:
        if not self.is_known:
            return state
        back = self.correction == "delete"
        return with_last_text(state, self.message_id, self.content, is_back=back)


class Corrections(Life):
    """The rules about changing what was written."""

    def edit_sent(self, by: str, sent: SentBefore, content: Content, *, manages: bool) -> None:
        """Whatever state the case is in: a mistake is a mistake. To say the same is nothing.

        Errors: WrittenElsewhere, WrittenByAnother, AlreadyDeleted, NotSentYet, ChannelRefuses,
        NoTextToEdit, NobodyToAnswer, MessageForgotten.
        """
        self._refuse_unless_changeable(by, sent, "edit", manages)
        if sent.content.erased:
            raise MessageForgotten
        if sent.content.text == content.text:
            return
        if not sent.content.text and len(sent.content.attachments) != 1:
            raise NoTextToEdit
        self._trigger(
            MessageEdited(
                at=self.at(self.now),
                case=self.case.number,
                message_id=sent.message_id,
                direction="outgoing",
                content=content,
                member_id=by,
                external_message_ids=sent.external_message_ids,
            )
        )

    def delete_sent(self, by: str, sent: SentBefore, *, manages: bool) -> None:
        """Errors: as of ``edit_sent``, less NoTextToEdit."""
        self._refuse_unless_changeable(by, sent, "delete", manages)
        self._trigger(
            MessageDeleted(
                at=self.at(self.now),
                case=self.case.number,
                message_id=sent.message_id,
                direction="outgoing",
                member_id=by,
                external_message_ids=sent.external_message_ids,
            )
        )

    def deleted_elsewhere(self, message_id: str, direction: Direction, at: datetime) -> None:
        """The platform tells of it. In a thread never seen before it is nothing."""
        if self.state is None:
            return
        self._trigger(
            MessageDeleted(
                at=self.at(min(at, self.now)),
                case=self.case.number,
                message_id=message_id,
                direction=direction,
            )
        )

    def shrink(self, message_id: str, content: Content) -> None:
        """A part of an album was deleted on the platform: ``content`` is left."""
        if self.state is None:
            return
        self._trigger(
            MessageEdited(
                at=self.at(self.now),
                case=self.case.number,
                message_id=message_id,
                direction="incoming",
                content=content,
                joined=True,
            )
        )

    def correction_failed(
        self,
        message_id: str,
        correction: Correction,
        reason: str,
        reason_code: str,
        at: datetime,
        customer_copy: CustomerCopy | None = None,
    ) -> None:
        """``customer_copy``: what the customer still sees, as looked up before; None: there is no
        such message."""
        if self.state is None:
            return
        self._trigger(
            CorrectionFailed(
                at=self.at(min(at, self.now)),
                case=self.case.number,
                message_id=message_id,
                correction=correction,
                reason=reason,
                reason_code=reason_code,
                asked=customer_copy.asked if customer_copy else 0,
                content=customer_copy.content if customer_copy else Content(),
                edited_at=customer_copy.edited_at if customer_copy else None,
                attempted=customer_copy.attempted if customer_copy else None,
            )
        )

    def _refuse_unless_changeable(
        self, by: str, sent: SentBefore, correction: Correction, manages: bool
    ) -> None:
        if self.state is None or sent.member_id is None:
            raise WrittenElsewhere
        if sent.member_id != by and not manages:
            raise WrittenByAnother(sent.member_id)
        if sent.deleted_at is not None:
            raise AlreadyDeleted(sent.deleted_at)
        self._refuse_unreachable()
        channel = self.state.thread.channel
        rules = capabilities_of(channel).corrections
        within = rules.edit_within if correction == "edit" else rules.delete_within
        if within is not None and self.now - sent.sent_at >= within:
            raise ChannelRefuses(channel, correction, within)
        if sent.delivery == "failed" or (rules.by_external_id and not sent.external_message_ids):
            raise NotSentYet(sent.delivery)
