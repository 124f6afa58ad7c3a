"""What becomes of one sent message: a small stream of its own, named by the message's id.

It begins with the first receipt, not with the sending: that a message is queued follows from its
being sent, and need not be written down a second time. So a receipt may also come first.
"""

from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from libs.events.content import DeliveryState
from services.conversation.domain.aggregate import Aggregate
from services.conversation.domain.events import Event, stored

# From each state, those that it may be followed by: only forward. ``uncertain`` is what is known
# between queued and sent; a later word of the platform settles it. What failed stays failed: a
# second try is a message of its own.
_FORWARD: Final[dict[DeliveryState, frozenset[DeliveryState]]] = {
    "queued": frozenset({"uncertain", "sent", "delivered", "read", "failed"}),
    "uncertain": frozenset({"sent", "delivered", "read", "failed"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "read": frozenset(),
    "failed": frozenset(),
}


class SentIn(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where the message was sent. ``case_id`` is empty while its sending is not known here."""

    workspace_id: str
    conversation_id: str
    case_id: str = ""


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What ingest tells of the message. ``reason`` in the platform's words, the code stable."""

    state: DeliveryState
    occurred_at: datetime
    external_message_ids: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None


class SentMessageState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    sent_in: SentIn
    state: DeliveryState
    external_message_ids: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None


@stored("conversation.message-delivery-changed.v1")
class DeliveryChanged(Event[SentMessageState], frozen=True, kw_only=True):
    """The delivery moved, or the platform's ids of the message became known."""

    sent_in: SentIn
    state: DeliveryState
    external_message_ids: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None

    def apply(self, state: SentMessageState | None) -> SentMessageState:
        after = SentMessageState(
            sent_in=self.sent_in,
            state=self.state,
            external_message_ids=self.external_message_ids,
            reason=self.reason,
            reason_code=self.reason_code,
        )
        if state is None:
            return after
        known = state.external_message_ids
        new = tuple(i for i in self.external_message_ids if i not in known)
        return replace(after, external_message_ids=(*known, *new))


class SentMessage(Aggregate[SentMessageState]):
    def receipt(self, receipt: Receipt, sent_in: SentIn) -> None:
        """A receipt that is behind what is known moves nothing back, but its ids are kept."""
        present: DeliveryState = self.state.state if self.state else "queued"
        known = self.state.external_message_ids if self.state else ()
        moves = receipt.state in _FORWARD[present]
        if not moves and set(receipt.external_message_ids) <= set(known):
            return
        self._trigger(
            DeliveryChanged(
                at=min(receipt.occurred_at, self.now),
                sent_in=sent_in,
                state=receipt.state if moves else present,
                external_message_ids=receipt.external_message_ids,
                reason=receipt.reason if moves else self._reason,
                reason_code=receipt.reason_code if moves else self._reason_code,
            )
        )

    @property
    def _reason(self) -> str | None:
        return self.state.reason if self.state else None

    @property
    def _reason_code(self) -> str | None:
        return self.state.reason_code if self.state else None
