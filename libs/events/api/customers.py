"""Customers: what is known of them, their identities and cases, and what may be changed."""

from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from libs.events.activity import ActivityKind, ActivityVariables
from libs.events.api.conversations import LastMessage
from libs.events.api.requests import RequestBody
from libs.events.api.values import Line, Name, Tag, Text
from libs.events.content import Channel
from libs.events.conversation.case import CaseState
from libs.events.customer import Card, FunnelStatus, Sex, Subscription, Visit
from libs.events.marks import FieldValue
from libs.events.registry import Body, Instant

UtmLabel = Literal["source", "medium", "campaign", "term", "content", "id"]
# As many channels as one person is likely to write on.
PHOTO_PLACES_AT_MOST: Final = 10
PlanName = Annotated[Name, Meta(min_length=1, max_length=100)]


class BlockView(Body):
    """Who blocked the customer, and when."""

    member_id: str
    at: datetime


class IdentityView(Body):
    """The person on one source. ``conversation_ids`` are those that the member may see, the
    latest first; ``merged_into`` is the identity that a split gives it back from."""

    customer_id: str
    subscription: Subscription
    name: str = ""
    source_id: str | None = None
    channel: Channel | None = None
    conversation_ids: tuple[str, ...] = ()
    merged_into: str | None = None


class CustomerView(Body):
    """A person with all their identities. ``customer_id`` is the primary's, whoever of them was
    asked for; ``name`` is the card's, else the one that the channel tells.

    ``tools`` and ``google_ids`` are all that were met, ``visits`` the first and the latest.
    ``may_edit``: this member may, because they answer the customer or manage cases.
    """

    customer_id: str
    version: int
    name: str
    card: Card
    funnel_status: FunnelStatus
    identities: tuple[IdentityView, ...]
    sales_plans: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    google_ids: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    blocked: BlockView | None = None
    last_activity_at: datetime | None = None
    may_edit: bool = False


class PhotoPlace(RequestBody):
    """Where a channel may show the customer's photo; ``thread`` is the platform's."""

    source_id: str
    channel: Channel
    thread: str


class PhotoPlaces(RequestBody):
    """The place to be asked first stands first. From conversation to ingest, by the gateway."""

    places: Annotated[tuple[PhotoPlace, ...], Meta(max_length=PHOTO_PLACES_AT_MOST)]


class CustomerPage(Body):
    """By last activity, the newest first; ``next`` is the cursor of the following page."""

    items: tuple[CustomerView, ...]
    next: str | None = None


class CustomerCase(Body):
    """One case of a customer. ``first_message`` is None for one that a member opened by hand."""

    case_id: str
    conversation_id: str
    source_id: str
    channel: Channel
    state: CaseState
    opened_at: datetime
    opened_by: Literal["customer", "team"]
    short_number: int = 0
    first_message: LastMessage | None = None


class CustomerCasePage(Body):
    """The newest first."""

    items: tuple[CustomerCase, ...]
    next: str | None = None


class EditCustomer(RequestBody):
    """What is absent stays, null clears. ``fields``: custom fields by their ids."""

    name: Line | UnsetType | None = UNSET
    external_id: Line | UnsetType | None = UNSET
    email: Line | UnsetType | None = UNSET
    phone: Line | UnsetType | None = UNSET
    sex: Sex | UnsetType | None = UNSET
    country: Line | UnsetType | None = UNSET
    city: Line | UnsetType | None = UNSET
    address: Text | UnsetType | None = UNSET
    note: Text | UnsetType | None = UNSET
    mark: Line | UnsetType | None = UNSET
    tags: tuple[Tag, ...] | UnsetType = UNSET
    fields: dict[str, FieldValue | None] | UnsetType = UNSET


class MergeCustomer(RequestBody):
    """Which customer is the same person; its card stands back for that of the one in the path."""

    customer_id: str


class SplitCustomer(RequestBody):
    """Which of the identities is a person of their own after all."""

    customer_id: str


class SetFunnelStatus(RequestBody):
    status: FunnelStatus


class ChangeSalesPlans(RequestBody):
    add: Annotated[tuple[PlanName, ...], Meta(max_length=50)] = ()
    remove: Annotated[tuple[PlanName, ...], Meta(max_length=50)] = ()


class RecordVisit(RequestBody):
    """How the customer came. ``at`` is now if not given. ``utm``: the labels without ``utm_``."""

    SAYS_ONE_OF: ClassVar[tuple[str, ...]] = ("tool", "google_id", "link", "utm")

    at: Instant | None = None
    tool: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    google_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    link: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None
    utm: dict[UtmLabel, Annotated[str, Meta(max_length=200)]] = msgspec.field(default_factory=dict)


class RecordActivity(RequestBody):
    """What the customer did elsewhere. ``variables`` are shown with it: the offer, the sum, the
    funnel and its block. ``occurred_at`` is now if not given; it may be before the case began,
    never in the future."""

    activity: ActivityKind
    variables: Annotated[ActivityVariables, Meta(max_length=20)] = msgspec.field(
        default_factory=dict
    )
    occurred_at: Instant | None = None


class ErasedCustomer(Body):
    """Nothing of what was said before ``erased_at`` is shown any longer, in so many
    ``conversations``; when and how much was said stays."""

    customer_id: str
    erased_at: datetime
    conversations: int
