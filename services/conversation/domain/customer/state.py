"""A customer's state: what the team added to what the channels tell. It does not grow.

Its stream begins with the first change; that the customer is there follows from their case.
"""

from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from libs.events.customer import Card, FunnelStatus, Subscription, Visit
from services.conversation.domain.events import Event

VISITS_KEPT: Final = 50
NAMES_KEPT: Final = 50


class By(msgspec.Struct, frozen=True):
    """Who does it, and in which workspace."""

    workspace_id: str
    member_id: str


class CustomerState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """``tools`` and ``google_ids`` are those that were met, ``visits`` the first and the latest;
    ``merged_into`` is the customer that this one is an identity of, since ``merged_at``;
    ``erasures`` is how often they were forgotten, ``edits`` how often what is shown of them
    changed; ``forgotten`` is how many of the edits were forgotten with them; ``changed_by`` was the
    last to write anything down."""

    workspace_id: str
    customer_id: str
    card: Card = Card()
    funnel_status: FunnelStatus = "reached_out"
    sales_plans: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    google_ids: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    subscription: Subscription = "subscribed"
    blocked_by: str | None = None
    blocked_at: datetime | None = None
    merged_into: str | None = None
    merged_at: datetime | None = None
    erasures: int = 0
    forgotten: int = 0
    edits: int = 0
    changed_by: str = ""

    @property
    def blocked(self) -> bool:
        return self.blocked_at is not None


class CustomerEvent(Event[CustomerState], frozen=True, kw_only=True):
    """Base of all. Any of them may be the stream's first, so each says whose it is; that
    one alone has ``erasures``: how often the customer had been forgotten before."""

    workspace_id: str
    customer_id: str
    member_id: str
    erasures: int = 0

    def apply(self, state: CustomerState | None) -> CustomerState:
        if state is None:
            state = CustomerState(self.workspace_id, self.customer_id, erasures=self.erasures)
        return replace(self.change(state), changed_by=self.member_id)

    def change(self, state: CustomerState) -> CustomerState:
        raise NotImplementedError


def with_visit(state: CustomerState, visit: Visit) -> CustomerState:
    """The first visit says where a customer came from: it is never pushed out by later ones."""
    visits = (*state.visits, visit)
    if len(visits) > VISITS_KEPT:
        visits = (visits[0], *visits[2:])
    return replace(
        state,
        visits=visits,
        tools=_met(state.tools, visit.tool),
        google_ids=_met(state.google_ids, visit.google_id),
    )


def _met(known: tuple[str, ...], name: str | None) -> tuple[str, ...]:
    """With the name at the end, where it is new; the oldest goes where there are too many."""
    if not name or name in known:
        return known
    return (*known, name)[-NAMES_KEPT:]
