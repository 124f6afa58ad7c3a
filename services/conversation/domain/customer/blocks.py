"""Whether the team hears a customer: blocked or not."""

from msgspec.structs import replace

from services.conversation.domain.customer.card import Cards
from services.conversation.domain.customer.state import By, CustomerEvent, CustomerState
from services.conversation.domain.events import stored


@stored("customer.blocked.v1")
class Blocked(CustomerEvent, frozen=True, kw_only=True):
    """The customer is not to be heard, on any of their identities' threads."""

    def change(self, state: CustomerState) -> CustomerState:
        return replace(state, blocked_by=self.member_id, blocked_at=self.at)


@stored("customer.unblocked.v1")
class Unblocked(CustomerEvent, frozen=True, kw_only=True):
    """The customer is heard again."""

    def change(self, state: CustomerState) -> CustomerState:
        return replace(state, blocked_by=None, blocked_at=None)


class Blocks(Cards):
    """A person is blocked while any of their identities is: a block lasts until somebody lifts it,
    whoever is merged into whom, and whoever is split off keeps it. So a person's identities are
    blocked, and heard again, together.

    ``as_identity``: as one of the person's, merged or not; else the primary is meant.
    """

    def block(self, by: By, *, as_identity: bool = False) -> None:
        """Errors: MergedAway."""
        if not as_identity:
            self._refuse_merged()
        if not self._known.blocked:
            self._trigger(Blocked(at=self.now, **self._who(by)))

    def unblock(self, by: By, *, as_identity: bool = False) -> None:
        """Errors: MergedAway."""
        if not as_identity:
            self._refuse_merged()
        if self._known.blocked:
            self._trigger(Unblocked(at=self.now, **self._who(by)))
