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
from libs.events.directory import Role
from libs.runtime.away import SERVER_AWAY
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.problems import Unavailable
from libs.runtime.rows import find_rows
from services.conversation.commands.base import Workplace
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.refusals import no_such_customer
from services.conversation.read_models.customers.sets import sets_of
from services.conversation.read_models.customers.views import InSight, newest_of
from services.conversation.read_models.inbox.rows import snapshot_of

# Pages of the inbox that are read for one of customers, who may have many conversations each.
_PAGES_AT_MOST: Final = 10
_SEE_EVERYBODY: Final = (Role.OWNER, Role.ADMIN)
_conversations: Final = msgspec.json.Decoder(ConversationPage).decode


class Looking(Workplace):
    """Errors of all: NotFound, Unavailable."""

    async def customer(self, customer_id: str) -> CustomerView:
        return self._shown(await self._in_sight(customer_id))

    async def customers(self, cursor: str | None, limit: int) -> CustomerPage:
        """By last activity, the newest first: each customer stands where the inbox has the latest
        of their conversations. Errors: Invalid (the cursor)."""
        shown: list[CustomerView] = []
        for _ in range(_PAGES_AT_MOST):
            page = _conversations(
                await self.inbox.page(
                    "all",
                    ConversationFilter(),
                    "last_message",
                    cursor,
                    limit - len(shown),
                    of="customers",
                )
            )
            cursor = page.next
            found = await self._all_in_sight({one.customer.customer_id for one in page.items})
            for one in page.items:
                with left_out("customer row", one.customer.customer_id):
                    customer = found.get(one.customer.customer_id)
                    if (
                        customer
                        and customer.conversations
                        and customer.newest() == one.conversation_id
                    ):
                        shown.append(self._shown(customer))
            if cursor is None or len(shown) >= limit:
                break
        return CustomerPage(items=tuple(shown), next=cursor)

    async def photo_places(self, customer_id: str) -> PhotoPlaces:
        """Where the person may be seen: first as the identity that was asked for. Of who was
        forgotten nothing is known until they write again."""
        found = await self._in_sight(customer_id)
        asked_first = sorted(found.conversations, key=lambda one: one.customer_id != customer_id)
        threads = (one.thread for one in asked_first if one.thread.thread)
        places = (
            PhotoPlace(source_id=one.source_id, channel=one.channel, thread=one.thread)
            for one in threads
        )
        return PhotoPlaces(places=tuple(islice(places, PHOTO_PLACES_AT_MOST)))

    async def newest_conversation(self, customer_id: str) -> str:
        """The one of the last activity, of those that the member may see."""
        found = await self._in_sight(customer_id)
        if not found.conversations:
            raise no_such_customer()
        return found.newest()

    async def _in_sight(self, customer_id: str) -> InSight:
        found = (await self._all_in_sight([customer_id])).get(customer_id)
        if found is None or not (found.conversations or self._sees_everybody):
            raise no_such_customer()
        return found

    async def _all_in_sight(self, customer_ids: Collection[str]) -> dict[str, InSight]:
        parts, workspace_id = self._parts, self._caller.workspace_id
        try:
            sets = await sets_of(parts.customers, workspace_id, customer_ids)
            rows = await find_rows(
                parts.inbox, {i for one in sets.values() for i in one.conversation_ids}
            )
        except SERVER_AWAY as error:
            raise Unavailable from error
        states = {}
        for row in rows:
            with left_out("inbox row", row["_id"]):
                if state := self._visible(row):
                    states[row["_id"]] = state
        return newest_of(sets, states)

    def _visible(self, row: Document) -> ConversationState | None:
        state = snapshot_of(row).state
        seen = self._sees_everybody or self._directory.may_see(self._member, audience_of(state))
        return state if seen else None

    @property
    def _sees_everybody(self) -> bool:
        return self._member.role in _SEE_EVERYBODY

    def _shown(self, found: InSight) -> CustomerView:
        self.told_of |= found.customer.rows.keys()
        return found.view(self._member.member_id, manages=self._manages)
