"""What becomes of one sent message: a small stream of its own, named by the message's id.

It begins with the first receipt, not with the sending: that a message is queued follows from its
being sent, and need not be written down a second time. So a receipt may also come first.
"""

from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from libs.events.content import DeliveryState, ReachedState
from services.conversation.domain.aggregate import Aggregate
from services.conversation.domain.events import Event, stored

# From each state, those that it may be followed by: only forward. ``uncertain`` is what is known
# between queued and sent; a later word of the platform settles it. What failed stays failed, until
# a member sends the message again: that attempt begins anew.
_FORWARD: Final[dict[DeliveryState, frozenset[DeliveryState]]] = {
    "queued": frozenset({"uncertain", "sent", "delivered", "read", "failed"}),
    "uncertain": frozenset({"sent", "delivered", "read", "failed"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "read": frozenset(),
    "failed": frozenset(),
}

# With these the platform says that it took the message.
_TAKEN: Final[frozenset[DeliveryState]] = frozenset({"sent", "delivered", "read"})


class SentIn(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where the message was sent. ``case_id`` is empty while its sending is not known here."""

    workspace_id: str
    conversation_id: str
    case_id: str = ""


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What ingest tells of an ``attempt`` to send the message. ``reason`` in the platform's words,
    the code stable."""

    state: DeliveryState
    occurred_at: datetime
    external_message_ids: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None
    attempt: int = 1


class SentMessageState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """``sent_at``: when the platform took it, as far as is known; None where it did not. All but
    the ids is of the latest ``attempt`` that was heard of."""

    sent_in: SentIn
    state: DeliveryState
    external_message_ids: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None
    sent_at: datetime | None = None
    attempt: int = 1


@stored("conversation.message-delivery-changed.v1")
class DeliveryChanged(Event[SentMessageState], frozen=True, kw_only=True):
    """The delivery moved, or the platform's ids of the message became known, or ``sent_at``, when
    the platform took it."""

    sent_in: SentIn
    state: DeliveryState
    external_message_ids: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None
    sent_at: datetime | None = None
    attempt: int = 1

    def apply(self, state: SentMessageState | None) -> SentMessageState:
        after = SentMessageState(
            sent_in=self.sent_in,
            state=self.state,
            external_message_ids=self.external_message_ids,
            reason=self.reason,
            reason_code=self.reason_code,
            sent_at=self.sent_at,
            attempt=self.attempt,
        )
        if state is None:
            return after
        known = state.external_message_ids
        new = tuple(i for i in self.external_message_ids if i not in known)
        return replace(after, external_message_ids=(*known, *new))


class SentMessage(Aggregate[SentMessageState]):
    def receipt(self, receipt: Receipt, sent_in: SentIn) -> None:
        """A receipt that is behind what is known moves nothing back, but its ids are kept, and the
        time of the sending, which is no later than any word about the message. One of an attempt
        before the latest is behind in any case."""
        known = self.state
        ids = known.external_message_ids if known else ()
        if known is not None and receipt.attempt > known.attempt:
            known = None
        present: DeliveryState = known.state if known else "queued"
        at = min(receipt.occurred_at, self.now)
        sent_at = known.sent_at if known else None
        is_of_latest = known is None or receipt.attempt == known.attempt
        earlier = is_of_latest and receipt.state in _TAKEN and (sent_at is None or at < sent_at)
        moves = is_of_latest and receipt.state in _FORWARD[present]
        if not (moves or earlier) and set(receipt.external_message_ids) <= set(ids):
            return
        reason, code = (known.reason, known.reason_code) if known else (None, None)
        self._trigger(
            DeliveryChanged(
                at=at,
                sent_in=sent_in,
                state=receipt.state if moves else present,
                external_message_ids=receipt.external_message_ids,
                reason=receipt.reason if moves else reason,
                reason_code=receipt.reason_code if moves else code,
                sent_at=at if earlier else sent_at,
                attempt=receipt.attempt if is_of_latest or not known else known.attempt,
            )
        )

    def reached(self, state: ReachedState, occurred_at: datetime, up_to: datetime | None) -> None:
        """All that the platform took until ``up_to`` has got as far as ``state``."""
        message = self.state
        if message is None or message.sent_at is None or up_to is None:
            return
        if message.sent_at > up_to or state not in _FORWARD[message.state]:
            return
        self._trigger(
            DeliveryChanged(
                at=min(occurred_at, self.now),
                sent_in=message.sent_in,
                state=state,
                sent_at=message.sent_at,
                attempt=message.attempt,
            )
        )
