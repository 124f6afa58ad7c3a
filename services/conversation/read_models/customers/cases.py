"""The cases of a customer: the first message and the date of each.

The rows know when each case was opened, and in which commit; what was written is read from there,
for those of one page at once, and what became of the messages from their rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from libs.events.api import LastMessage
from libs.events.api.customers import CustomerCase, CustomerCasePage
from libs.eventstore.commits import Commit
from libs.runtime.away import SERVER_AWAY
from libs.runtime.cursors import Instants, cursor_of, place_of
from libs.runtime.problems import Unavailable
from libs.runtime.rows import Rows, find_rows
from services.conversation.domain.conversation.life import CaseOpened
from services.conversation.domain.conversation.messages import MessageReceived, MessageSent
from services.conversation.domain.conversation.state import (
    ConversationState,
    case_id_of,
    preview_of,
    shown_by,
)
from services.conversation.domain.events import Event
from services.conversation.privacy.sealed_store import SealedStore
from services.conversation.read_models.customers.queries import CustomerQueries
from services.conversation.read_models.customers.sets import CustomerSet
from services.conversation.read_models.member import MemberContext
from services.conversation.read_models.messages.parts import MessageRow
from services.conversation.read_models.timeline import remembered
from services.conversation.read_models.views import content_for_team, preview_told


class _Opened(NamedTuple):
    """A case that was opened, in the commit that begins at that version."""

    at: datetime
    conversation_id: str
    number: int
    commit: int

    @property
    def case_id(self) -> str:
        return case_id_of(self.conversation_id, self.number)

    @property
    def place(self) -> tuple[str, int]:
        return self.conversation_id, self.commit


@dataclass(frozen=True, slots=True)
class _Begun:
    """How a case began, and the message that it began with."""

    state: ConversationState
    opening: CaseOpened
    message: MessageReceived | MessageSent | None


class CustomerCases:
    def __init__(self, customers: CustomerQueries, store: SealedStore, messages: Rows) -> None:
        self._customers = customers
        self._store = store
        self._messages = messages

    async def page(
        self, actor: MemberContext, customer_id: str, cursor: str | None, limit: int
    ) -> CustomerCasePage:
        """Of the conversations that the member may see, the newest first.

        Errors: NotFound, Unavailable, Invalid (the cursor).
        """
        of = ("cases", customer_id)
        after = place_of(cursor, Instants, *of) if cursor else None
        found = await self._customers.in_sight(actor, customer_id)
        states = {one.thread.conversation_id: one for one in found.conversations}
        opened = _opened(found.customer)
        opened = [one for one in opened if one.conversation_id in states]
        if after is not None:
            opened = [one for one in opened if (one.at, one.case_id) < (after.at, after.id)]
        page = opened[:limit]
        try:
            commits = await self._store.at(one.place for one in page)
            by_place = {(commit.stream, commit.first): commit for commit in commits}
            begun = [
                case
                for one in page
                if (commit := by_place.get(one.place))
                and (case := _begun(states[one.conversation_id], one.number, commit))
            ]
            rows = await self._rows(one.message.message_id for one in begun if one.message)
        except SERVER_AWAY as error:
            raise Unavailable from error
        last = Instants(page[-1].at, page[-1].case_id) if len(opened) > limit else None
        return CustomerCasePage(
            items=tuple(_case(one, rows) for one in begun),
            next=cursor_of(last, *of) if last else None,
        )

    async def _rows(self, message_ids: Iterable[str]) -> dict[str, MessageRow]:
        rows = await find_rows(self._messages, list(message_ids))
        return {row["_id"]: row for row in rows}


def _opened(customer: CustomerSet) -> list[_Opened]:
    """All openings, the newest first."""
    openings = [
        _Opened(case["at"], conversation_id, int(number), case["commit"])
        for row in customer.rows.values()
        for conversation_id, known in row.get("conversations", {}).items()
        for number, case in known.get("cases", {}).items()
    ]
    return sorted(openings, key=lambda one: (one.at, one.case_id), reverse=True)


def _begun(state: ConversationState, number: int, commit: Commit) -> _Begun | None:
    events = [
        remembered(stored, position, state.forgotten)
        for position, stored in enumerate(commit.events, commit.first)
    ]
    opening = next((e for e in events if isinstance(e, CaseOpened) and e.number == number), None)
    if opening is None:
        return None
    return _Begun(state, opening, _first_message(events[events.index(opening) :]))


def _first_message(events: Sequence[Event[Any]]) -> MessageReceived | MessageSent | None:
    return next((e for e in events if isinstance(e, MessageReceived | MessageSent)), None)


def _case(begun: _Begun, rows: Mapping[str, MessageRow]) -> CustomerCase:
    """Only the latest case may be anything but done."""
    state, opening, message = begun.state, begun.opening, begun.message
    return CustomerCase(
        case_id=case_id_of(state.thread.conversation_id, opening.number),
        conversation_id=state.thread.conversation_id,
        source_id=opening.source_id,
        channel=opening.channel,
        state=state.case.state if state.case.number == opening.number else "done",
        opened_at=opening.at,
        opened_by=opening.opened_by,
        short_number=opening.short_number,
        first_message=_shown(message, rows.get(message.message_id)) if message else None,
    )


def _shown(message: MessageReceived | MessageSent, row: MessageRow | None) -> LastMessage:
    content = content_for_team(message, row)
    return LastMessage(
        direction="incoming" if isinstance(message, MessageReceived) else "outgoing",
        occurred_at=message.at,
        preview=preview_told(preview_of(content), shown_by(content)),
    )
