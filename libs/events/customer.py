"""What is known of a customer, and what happened to it. Each event carries the customer after it.

A customer is named by the id of one of its identities (source and sender). Merging makes one of
them the primary of a set: what is known of the person is the primary's.
"""

from typing import Final, Literal

import msgspec

from libs.events.marks import FieldValue
from libs.events.registry import Body, Instant, public
from libs.events.topics import Topic

FunnelStatus = Literal[
    "not_a_customer", "reached_out", "interested", "desire", "customer", "regular"
]
Sex = Literal["female", "male", "other"]
Subscription = Literal["subscribed", "unsubscribed", "resubscribed"]

_CARD: Final = ("customer.card",)
_VISIT: Final = ("visit.google_id", "visit.link", "visit.utm")


class Card(Body):
    """What the team wrote down about the person. ``external_id`` is the CRM's; ``name`` stands
    before the one that the channel tells; ``mark`` is the team's own short sign; ``fields`` are
    values by the ids of custom fields."""

    name: str | None = None
    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    sex: Sex | None = None
    country: str | None = None
    city: str | None = None
    address: str | None = None
    note: str | None = None
    mark: str | None = None
    tags: tuple[str, ...] = ()
    fields: dict[str, FieldValue] = msgspec.field(default_factory=dict)

    @classmethod
    def blank(cls) -> "Card":
        """What is left of one that was erased."""
        return cls()


class Visit(Body):
    """How the customer came, once: by which tool, from which device, through which link.

    ``google_id`` names a device; ``utm`` are the link's labels without their prefix (source,
    medium, campaign, term, content).
    """

    at: Instant
    tool: str | None = None
    google_id: str | None = None
    link: str | None = None
    utm: dict[str, str] = msgspec.field(default_factory=dict)


class CustomerFacts(Body):
    """The customer after the event. ``merged_into``: it is an identity of that one now."""

    customer_id: str
    card: Card = Card()
    funnel_status: FunnelStatus = "reached_out"
    sales_plans: tuple[str, ...] = ()
    subscription: Subscription = "subscribed"
    blocked: bool = False
    merged_into: str | None = None


class CustomerEvent(Body):
    """Base of all. ``member_id`` did it; ``recorded_at`` is when Parley wrote it down."""

    customer: CustomerFacts
    member_id: str
    recorded_at: Instant


@public("parley.customer.card-edited.v1", Topic.CUSTOMER, personal=_CARD)
class CardEdited(CustomerEvent):
    """The team corrected what it knows of the person; ``changed`` names the card's fields."""

    changed: tuple[str, ...]


@public("parley.customer.moved-in-funnel.v1", Topic.CUSTOMER, personal=_CARD)
class MovedInFunnel(CustomerEvent):
    """How near the customer is to buying; ``before`` is where they stood."""

    before: FunnelStatus


@public("parley.customer.sales-plans-changed.v1", Topic.CUSTOMER, personal=_CARD)
class SalesPlansChanged(CustomerEvent):
    """The sales plans that the customer was put into, and taken out of."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@public("parley.customer.visit-recorded.v1", Topic.CUSTOMER, personal=(*_CARD, *_VISIT))
class VisitRecorded(CustomerEvent):
    """The customer came by some tool or link."""

    visit: Visit


@public("parley.customer.subscribed.v1", Topic.CUSTOMER, personal=_CARD)
class Subscribed(CustomerEvent):
    """The identity gets automatic messages, and may have refused them before (``again``)."""

    again: bool


@public("parley.customer.unsubscribed.v1", Topic.CUSTOMER, personal=_CARD)
class Unsubscribed(CustomerEvent):
    """The identity gets no automatic messages any more."""


@public("parley.customer.blocked.v1", Topic.CUSTOMER, personal=_CARD)
class Blocked(CustomerEvent):
    """What the customer writes is kept, and from now on opens no case and tells nobody."""


@public("parley.customer.unblocked.v1", Topic.CUSTOMER, personal=_CARD)
class Unblocked(CustomerEvent):
    """What the customer writes opens cases again."""


@public("parley.customer.merged.v1", Topic.CUSTOMER, personal=_CARD)
class Merged(CustomerEvent):
    """The customer is the same person as the primary ``customer.merged_into``."""


@public("parley.customer.split.v1", Topic.CUSTOMER, personal=_CARD)
class Split(CustomerEvent):
    """The customer is a person of their own again, and was an identity of ``split_from``."""

    split_from: str


@public("parley.customer.erased.v1", Topic.CUSTOMER, personal=_CARD)
class Erased(CustomerEvent):
    """The person was forgotten: whoever keeps anything of who they are forgets it too."""
