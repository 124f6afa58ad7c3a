"""Who the conversation's customer is, beyond what the channel tells: the person's card, in short.

The card is another stream. What a list shows of it is told to each conversation, so that its row,
its views, the search and the live updates follow by themselves.
"""

from typing import Literal

from msgspec.structs import replace

from services.conversation.domain.events import stored
from services.conversation.domain.life import Life, MemberEvent
from services.conversation.domain.state import ConversationState, KnownAs


@stored("conversation.customer-known.v1", personal=("name",))
class CustomerKnown(MemberEvent, frozen=True, kw_only=True):
    """``primary_id``: the customer whose card it is, the conversation's own unless it was merged.
    ``name`` is the card's, None where the channel's stands. ``became``: what changed."""

    primary_id: str
    became: Literal["merged", "split", "named"]
    name: str | None = None

    def change(self, state: ConversationState) -> ConversationState:
        return replace(state, known_as=KnownAs(self.primary_id, self.name))


class Naming(Life):
    def know_customer(self, member_id: str, primary_id: str, name: str | None) -> None:
        """What is known already is no change."""
        state = self.state
        if state is None or KnownAs(primary_id, name) == state.shown_as:
            return
        became: Literal["merged", "split", "named"] = "named"
        if primary_id != state.shown_as.customer_id:
            became = "split" if primary_id == state.customer_id else "merged"
        self._trigger(
            CustomerKnown(
                at=self.at(self.now),
                case=self.case.number,
                member_id=member_id,
                primary_id=primary_id,
                became=became,
                name=name,
            )
        )
