"""One person, several identities: merge and split.

A merge is one fact on one stream: this customer is the same person as that one. So the merged ones
are trees of pointers, and each tree's root is the primary, whose card is shown. Nothing is moved,
so a split gives back what was there before: the identity with all that had been merged into it.

Two members who merge A into B and B into A at once both succeed, and the pointers make a circle.
``primary_of`` reads it the same way everywhere: the circle's smallest id is the primary. So each
customer is always in exactly one set, and each set has exactly one primary.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from services.conversation.domain.customer.blocks import Blocks
from services.conversation.domain.customer.state import By, CustomerEvent, CustomerState
from services.conversation.domain.customer.subscriptions import Subscriptions
from services.conversation.domain.events import stored
from services.conversation.domain.refusal import Refusal


class NotMerged(Refusal):
    """The customer is a person of their own: there is nothing to split it from."""

    kind = "customer-not-merged"


@stored("customer.merged.v1")
class Merged(CustomerEvent, frozen=True, kw_only=True):
    """The customer is an identity of another person from now on."""

    primary_id: str

    def change(self, state: CustomerState) -> CustomerState:
        return replace(state, merged_into=self.primary_id, merged_at=self.at)


@stored("customer.split.v1")
class Split(CustomerEvent, frozen=True, kw_only=True):
    """The customer is a person of their own again."""

    split_from: str

    def change(self, state: CustomerState) -> CustomerState:
        return replace(state, merged_into=None, merged_at=None)


class Identities(Blocks, Subscriptions):
    def merge_into(self, by: By, primary_id: str) -> None:
        """Errors: MergedAway (it is an identity of another customer already)."""
        if self.state is not None and self.state.merged_into == primary_id:
            return
        self._refuse_merged()
        if primary_id == self.stream:
            raise ValueError(f"{self.stream} cannot be merged into itself")
        self._trigger(Merged(at=self.now, primary_id=primary_id, **self._who(by)))

    def split(self, by: By) -> None:
        """Errors: NotMerged."""
        if self.state is None or self.state.merged_into is None:
            raise NotMerged
        self._trigger(Split(at=self.now, split_from=self.state.merged_into, **self._who(by)))


def primary_of(customer_id: str, merged_into: Mapping[str, str]) -> str:
    """The primary of the customer's set; ``merged_into`` are the pointers of all on the way."""
    way = [customer_id]
    while (following := merged_into.get(way[-1])) is not None:
        if following in way:
            return min(way[way.index(following) :])
        way.append(following)
    return way[-1]
