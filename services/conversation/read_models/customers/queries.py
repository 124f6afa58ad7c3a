"""Customers as one member may see them: who sees one of the conversations sees the customer."""

from collections.abc import Collection
from itertools import islice
from typing import Final

import msgspec

from libs.events.api import ConversationPage
from libs.events.api.customers import (
    PHOTO_PLACES_AT_MOST,
    CustomerPage,
    CustomerView,
    PhotoPlace,
    PhotoPlaces,
)
from libs.events.api.filters import ConversationFilter
from libs.runtime.away import SERVER_AWAY
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.problems import Unavailable
from libs.runtime.rows import Rows, find_rows
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.refusals import no_such_customer
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.customers.sets import sets_of
from services.conversation.read_models.customers.views import InSight, newest_of
from services.conversation.read_models.inbox.rows import snapshot_of
from services.conversation.read_models.member import MemberContext

# Pages of the inbox that are read for one of customers, who may have many conversations each.
_PAGES_AT_MOST: Final = 10
_conversations: Final = msgspec.json.Decoder(ConversationPage).decode


class CustomerQueries:
    """Errors of all: NotFound, Unavailable."""

    def __init__(self, visible: VisibleConversations, inbox: Rows, customers: Rows) -> None:
        self._visible = visible
        self._inbox = inbox
        self._customers = customers

    async def customer(self, actor: MemberContext, customer_id: str) -> CustomerView:
        return _view(actor, await self.in_sight(actor, customer_id))

    async def customers(self, actor: MemberContext, cursor: str | None, limit: int) -> CustomerPage:
        """By last activity, the newest first: each customer stands where the inbox has the latest
        of their conversations. Errors: Invalid (the cursor)."""
        shown: list[CustomerView] = []
        for _ in range(_PAGES_AT_MOST):
            page = _conversations(
                await self._visible.inbox(actor).page(
                    "all",
                    ConversationFilter(),
                    "last_message",
                    cursor,
                    limit - len(shown),
                    of="customers",
                )
            )
            cursor = page.next
            found = await self._all_in_sight(
                actor, {one.customer.customer_id for one in page.items}
            )
            for one in page.items:
                with left_out("customer row", one.customer.customer_id):
                    customer = found.get(one.customer.customer_id)
                    if (
                        customer
                        and customer.conversations
                        and customer.newest() == one.conversation_id
                    ):
                        shown.append(_view(actor, customer))
            if cursor is None or len(shown) >= limit:
                break
        return CustomerPage(items=tuple(shown), next=cursor)

    async def photo_places(self, actor: MemberContext, customer_id: str) -> PhotoPlaces:
        """Where the person may be seen: first as the identity that was asked for. Of who was
        forgotten nothing is known until they write again."""
        found = await self.in_sight(actor, customer_id)
        asked_first = sorted(found.conversations, key=lambda one: one.customer_id != customer_id)
        threads = (one.thread for one in asked_first if one.thread.thread)
        places = (
            PhotoPlace(source_id=one.source_id, channel=one.channel, thread=one.thread)
            for one in threads
        )
        return PhotoPlaces(places=tuple(islice(places, PHOTO_PLACES_AT_MOST)))

    async def newest_conversation(self, actor: MemberContext, customer_id: str) -> str:
        """The one of the last activity, of those that the member may see."""
        found = await self.in_sight(actor, customer_id)
        if not found.conversations:
            raise no_such_customer()
        return found.newest()

    async def in_sight(self, actor: MemberContext, customer_id: str) -> InSight:
        """The customer and those of their conversations that the member may see."""
        found = (await self._all_in_sight(actor, [customer_id])).get(customer_id)
        if found is None or not (found.conversations or actor.sees_every_customer):
            raise no_such_customer()
        return found

    async def _all_in_sight(
        self, actor: MemberContext, customer_ids: Collection[str]
    ) -> dict[str, InSight]:
        try:
            sets = await sets_of(self._customers, actor.workspace_id, customer_ids)
            rows = await find_rows(
                self._inbox, {i for one in sets.values() for i in one.conversation_ids}
            )
        except SERVER_AWAY as error:
            raise Unavailable from error
        states = {}
        for row in rows:
            with left_out("inbox row", row["_id"]):
                if state := _state_seen(actor, row):
                    states[row["_id"]] = state
        return newest_of(sets, states)


def _state_seen(actor: MemberContext, row: Document) -> ConversationState | None:
    state = snapshot_of(row).state
    return state if actor.sees_every_customer or actor.sees(state) else None


def _view(actor: MemberContext, found: InSight) -> CustomerView:
    return found.view(actor.member_id, manages=actor.manages)
