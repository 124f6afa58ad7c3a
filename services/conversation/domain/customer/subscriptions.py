"""Whether an identity gets mailings and automatic chains."""

from msgspec.structs import replace

from services.conversation.domain.customer.card import Cards
from services.conversation.domain.customer.state import By, CustomerEvent, CustomerState
from services.conversation.domain.events import stored


@stored("customer.subscribed.v1")
class Subscribed(CustomerEvent, frozen=True, kw_only=True):
    """``again``: the identity had refused before."""

    again: bool

    def change(self, state: CustomerState) -> CustomerState:
        return replace(state, subscription="resubscribed" if self.again else "subscribed")


@stored("customer.unsubscribed.v1")
class Unsubscribed(CustomerEvent, frozen=True, kw_only=True):
    """The identity does not want mailings and automatic chains any more."""

    def change(self, state: CustomerState) -> CustomerState:
        return replace(state, subscription="unsubscribed")


class Subscriptions(Cards):
    """A subscription is each identity's own, whoever is merged into whom."""

    def subscribe(self, by: By) -> None:
        """Who wrote to a source is subscribed there; only who refused can subscribe again."""
        if self._known.subscription == "unsubscribed":
            self._trigger(Subscribed(at=self.now, again=True, **self._who(by)))

    def unsubscribe(self, by: By) -> None:
        if self._known.subscription != "unsubscribed":
            self._trigger(Unsubscribed(at=self.now, **self._who(by)))
