"""The keys by which a list finds its rows: ``rows.py`` puts them on, ``queries.py``
asks by them.

A key is a case's state, alone or with one thing that is known of the case: ``new``,
``new/location:loc_…``, ``active/member:mem_…``, ``done/tag:vip``. All are in one multikey index
with the last activity, so each list, also one of few rows among very many, is a range of the index.
Unread conversations have those without a state besides: ``unread``, ``unread/location:loc_…``.
"""

from typing import Final, get_args

from libs.events.customer import FunnelStatus
from libs.events.marks import MarkKind
from services.conversation.domain.conversation.marks import folded, marks_of
from services.conversation.domain.conversation.state import Case, ConversationState, KnownAs

HAS_PHONE: Final = "has_phone"
HAS_EMAIL: Final = "has_email"
# Where every customer stands of whom nothing else was said: it is no key.
FIRST_STATUS: Final[FunnelStatus] = "reached_out"
UNREAD: Final = "unread"
FLAGGED: Final = "flagged"
_MARKS: Final[tuple[MarkKind, ...]] = get_args(MarkKind)


def keys_of(state: ConversationState) -> list[str]:
    """None for a case in routing, which is in no list."""
    case = state.case
    if case.state == "routing":
        return []
    shown = [f"location:{case.location_id}", *(f"member:{one}" for one in case.people)]
    marks = [*_marks(case), *([FLAGGED] if state.flagged else []), *_card(state.shown_as)]
    if case.offer is not None:
        marks.append(offered_by(case.offer.offered_by))
    keys = [f"{case.state}/{one}" for one in (*shown, *marks)]
    if state.unread:
        keys += [UNREAD, *(f"{UNREAD}/{one}" for one in shown)]
    return [case.state, *keys]


def offered_by(member_id: str) -> str:
    """Of a case that the member has offered to somebody."""
    return f"offered_by:{member_id}"


def _marks(case: Case) -> list[str]:
    # A tag may have been given, and a card written, before tags had one spelling.
    marks = [
        f"{kind}:{folded(mark) if kind == 'tag' else mark}"
        for kind in _MARKS
        for mark in marks_of(case, kind)
    ]
    return marks if case.priority == "none" else [*marks, f"priority:{case.priority}"]


def _card(known: KnownAs) -> list[str]:
    """What the team knows of the customer."""
    keys = [f"customer_tag:{tag}" for tag in dict.fromkeys(map(folded, known.tags))]
    keys += [f"sales_plan:{plan}" for plan in known.sales_plans]
    if known.funnel_status != FIRST_STATUS:
        keys.append(f"funnel:{known.funnel_status}")
    if known.has_phone:
        keys.append(HAS_PHONE)
    return [*keys, HAS_EMAIL] if known.has_email else keys
