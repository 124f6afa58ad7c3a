"""Who the conversation's customer is, beyond what the channel tells: the person's card.

The card is another stream. What lists show of it, and are asked by, is told to each conversation,
so that its row, its views, the search and the live updates follow by themselves.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

from libs.events.customer import Card, FunnelStatus
from services.conversation.domain.conversation.life import Life, MemberEvent
from services.conversation.domain.conversation.state import ConversationState, KnownAs
from services.conversation.domain.events import stored

Became = Literal["merged", "split", "named", "edited", "begun"]


class KnownProfile(msgspec.Struct, frozen=True):
    """What is known of the person ``primary_id``, after so many ``edits``."""

    primary_id: str
    edits: int
    card: Card
    funnel_status: FunnelStatus
    sales_plans: tuple[str, ...]


@stored("conversation.customer-known.v1", personal=("name", "card"))
class CustomerKnown(MemberEvent, frozen=True, kw_only=True):
    """``primary_id``: the customer whose card it is, the conversation's own unless it was merged.
    ``name`` is the card's, None where the channel's stands. ``became``: what changed; nothing where
    the thread had just begun, and ``member_id`` wrote on the card before. ``edits`` tells one state
    of the card from a later one."""

    primary_id: str
    became: Became
    name: str | None = None
    edits: int = 0
    card: Card | None = None
    funnel_status: FunnelStatus = "reached_out"
    sales_plans: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        return self.primary_id

    def change(self, state: ConversationState) -> ConversationState:
        card = self.card or Card()
        return replace(
            state,
            known_as=KnownAs(
                customer_id=self.primary_id,
                name=self.name,
                edits=self.edits,
                tags=card.tags,
                has_phone=card.phone is not None,
                has_email=card.email is not None,
                funnel_status=self.funnel_status,
                sales_plans=self.sales_plans,
            ),
        )


class CustomerProfile(Life):
    def know_customer(self, member_id: str, known: KnownProfile, *, begins: bool = False) -> None:
        """What is known already is no change, nor is what was known before: told late, it would
        bring back a name that was changed since, or erased. ``begins``: the thread has, and the
        customer was known before."""
        state = self.state
        if state is None:
            return
        shown = state.shown_as
        if shown.customer_id == known.primary_id and known.edits <= shown.edits:
            return
        became: Became = "named" if shown.name != known.card.name else "edited"
        if known.primary_id != shown.customer_id:
            became = "split" if known.primary_id == state.customer_id else "merged"
        if begins:
            became = "begun"
        self._trigger(
            CustomerKnown(
                at=self.at(self.now),
                case=self.case.number,
                member_id=member_id,
                primary_id=known.primary_id,
                became=became,
                name=known.card.name,
                edits=known.edits,
                card=known.card,
                funnel_status=known.funnel_status,
                sales_plans=known.sales_plans,
            )
        )
