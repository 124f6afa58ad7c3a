"""What the team wrote down about a person, in the search: in each conversation of the person.

The cards are streams of their own, and merging and splitting moves nothing between them. So the
rows are made of what the customers' rows say now, of all the identities' cards together: whoever
was merged is found by all that either had, and whoever was split by their own alone.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Final

from libs.runtime.mongo import Document
from libs.runtime.rows import Rows
from services.conversation.read_models.customers.sets import CustomerSet, sets_of
from services.conversation.read_models.search.entries import Entries
from services.conversation.read_models.search.index import Entry, SearchIndex

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 200


class CardRows:
    """Keeps them as the customers' rows are. Errors of all: the driver's."""

    def __init__(self, customers: Rows, index: SearchIndex, entries: Entries) -> None:
        self._customers = customers
        self._index = index
        self._entries = entries

    async def renew(self, workspace_id: str, customer_ids: Collection[str]) -> None:
        """In all conversations of these persons. Others may renew them at the same time, by what
        the rows said before: so they are looked at again afterwards."""
        done: Mapping[str, Entry | None] | None = None
        while (wanted := await self._wanted(workspace_id, customer_ids)) != done:
            await self._index.put_cards(wanted)
            done = wanted

    async def begin(self, workspace_id: str, customer_ids: Collection[str]) -> None:
        """The same, of persons with a new conversation: of most nothing is written down."""
        wanted = await self._wanted(workspace_id, customer_ids)
        if any(wanted.values()):
            await self.renew(workspace_id, customer_ids)

    async def renew_all(self) -> None:
        """Of everybody of whom anything is written down."""
        some: dict[str, list[str]] = {}
        known: Document = {"known": {"$exists": True}}
        async for row in self._customers.find(known, {"workspace": 1}):
            ids = some.setdefault(row["workspace"], [])
            ids.append(row["_id"])
            if len(ids) >= _AT_ONCE:
                await self.renew(row["workspace"], some.pop(row["workspace"]))
        for workspace_id, ids in some.items():
            await self.renew(workspace_id, ids)

    async def drop(self, workspace_id: str, customer_id: str) -> None:
        """Of a person who is being forgotten: what is still known of them is written again."""
        sets = await sets_of(self._customers, workspace_id, [customer_id])
        if (person := sets.get(customer_id)) is not None:
            await self._index.put_cards(dict.fromkeys(person.conversation_ids))

    async def _wanted(
        self, workspace_id: str, customer_ids: Collection[str]
    ) -> Mapping[str, Entry | None]:
        """By the conversations' ids; None where nothing is written down."""
        sets = await sets_of(self._customers, workspace_id, customer_ids)
        persons = {one.primary_id: one for one in sets.values()}.values()
        return {
            conversation_id: entry
            for person in persons
            for conversation_id, entry in self._entries_of(workspace_id, person).items()
        }

    def _entries_of(self, workspace_id: str, person: CustomerSet) -> Mapping[str, Entry | None]:
        cards = [person.state_of(identity).card for identity in person.rows]
        found = self._entries.of_cards(workspace_id, cards)
        return {
            conversation_id: Entry(f"{conversation_id}.card", conversation_id, 0, at, found)
            if found.t
            else None
            for row in person.rows.values()
            for conversation_id, at in _begun(row).items()
        }


def _begun(row: Document) -> dict[str, datetime]:
    """The identity's conversations, and when the latest case of each was opened."""
    return {
        conversation_id: max(
            (case["at"] for case in known.get("cases", {}).values()), default=_EPOCH
        )
        for conversation_id, known in row.get("conversations", {}).items()
    }
