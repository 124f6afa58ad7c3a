"""What conversations are asked for by: the tab, the filters, the order."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from libs.events.api.values import AnyOf, Name
from libs.events.content import Channel
from libs.events.customer import FunnelStatus
from libs.events.marks import Priority
from libs.events.registry import Body, Instant

# "important": open cases that are due today or overdue, by their due time whatever the order asked.
Tab = Literal["new", "mine", "others", "done", "all", "unread", "important"]
Sort = Literal["last_message", "waiting", "priority"]

FilterId = Annotated[Name, Meta(min_length=1, max_length=100)]


class ConversationFilter(Body, forbid_unknown_fields=True):
    """Of what is given, all must hold; nothing given is no filter.

    ``member`` belongs to the case, ``responsible`` owns it. ``answered`` false: the customer's last
    turn waits for an answer. ``open``: the case is not done. ``active_…`` is the last activity,
    ``opened_…`` the latest case's opening; ``…_from`` is included, ``…_to`` is not. ``funnel``,
    ``sales_plan``, ``customer_tag``, ``has_phone`` and ``has_email`` are of the customer's card.
    Tags are the same in capitals and small letters. Of several values of one filter any will do.
    """

    location: AnyOf[FilterId] | None = None
    group: AnyOf[FilterId] | None = None
    source: AnyOf[FilterId] | None = None
    channel: AnyOf[Channel] | None = None
    member: AnyOf[FilterId] | None = None
    responsible: AnyOf[FilterId] | None = None
    tag: AnyOf[FilterId] | None = None
    topic: AnyOf[FilterId] | None = None
    status: AnyOf[FilterId] | None = None
    type: AnyOf[FilterId] | None = None
    reason: AnyOf[FilterId] | None = None
    component: AnyOf[FilterId] | None = None
    priority: AnyOf[Priority] | None = None
    flagged: bool | None = None
    unread: bool | None = None
    answered: bool | None = None
    open: bool | None = None
    active_from: Instant | None = None
    active_to: Instant | None = None
    opened_from: Instant | None = None
    opened_to: Instant | None = None
    funnel: AnyOf[FunnelStatus] | None = None
    sales_plan: AnyOf[FilterId] | None = None
    customer_tag: AnyOf[FilterId] | None = None
    has_phone: bool | None = None
    has_email: bool | None = None


class ListAsked(ConversationFilter, forbid_unknown_fields=True):
    """What a list is asked for by. ``q`` looks for words. Words and filters look in all tabs unless
    one is named; without any of them it is New."""

    q: Annotated[str, Meta(max_length=200)] | None = None
    tab: Tab | None = None
    sort: Sort = "last_message"


def is_narrowed(asked: ConversationFilter) -> bool:
    """Whether any filter is given."""
    return any(getattr(asked, name) is not None for name in ConversationFilter.__struct_fields__)


def values_of(asked: ConversationFilter, name: str) -> tuple[Any, ...]:
    """The values of a filter, each once; none where it is not given."""
    given = getattr(asked, name)
    if given is None:
        return ()
    return tuple(dict.fromkeys(given)) if isinstance(given, tuple) else (given,)


class SaveFilter(Body, forbid_unknown_fields=True):
    name: Annotated[Name, Meta(min_length=1, max_length=100)]
    filter: ListAsked


class SavedFilter(Body):
    """``forgotten_at``: since when its words are gone, because they named a customer who was erased
    then; what else it asks for stays."""

    filter_id: str
    name: str
    filter: ListAsked
    forgotten_at: datetime | None = None


class SavedFilters(Body):
    """Of one member, by name."""

    items: tuple[SavedFilter, ...]


class ConversationCounts(Body):
    """How many conversations the member sees in each tab."""

    new: int
    mine: int
    others: int
    done: int
    all: int
    unread: int
    important: int
