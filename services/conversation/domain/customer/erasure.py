"""Forgetting a person: what the team wrote down about them, and how they came."""

from msgspec.structs import replace

from libs.events.customer import Card
from services.conversation.domain.customer.identities import Identities
from services.conversation.domain.customer.state import By, CustomerEvent, CustomerState
from services.conversation.domain.events import stored


@stored("customer.erased.v1")
class Erased(CustomerEvent, frozen=True, kw_only=True):
    """What stands before is forgotten; where the person stands in the funnel, that they are
    blocked, and which identities are one person stays. ``erasure`` as of a conversation's."""

    erasure: int

    def change(self, state: CustomerState) -> CustomerState:
        return replace(
            state,
            card=Card(),
            tools=(),
            google_ids=(),
            visits=(),
            erasures=self.erasure,
            edits=state.edits + 1,
            forgotten=state.edits,
        )


class Forgetting(Identities):
    def erase(self, by: By, erasure: int) -> None:
        """Done once for each erasure, of somebody of whom anything was written down at all."""
        if self.state is not None and self.state.erasures < erasure:
            self._trigger(Erased(at=self.now, erasure=erasure, **self._who(by)))
