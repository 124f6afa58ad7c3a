"""Customers with all their identities: who is whose, asked for many at once."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from libs.runtime.mongo import Document
from libs.runtime.rows import Rows, find_rows
from services.conversation.domain.customer.identities import primary_of
from services.conversation.domain.customer.state import CustomerState
from services.conversation.read_models.customers.rows import customer_of


@dataclass(frozen=True, slots=True)
class CustomerSet:
    """One person: the rows of the identities by their ids, the primary's among them."""

    primary_id: str
    rows: Mapping[str, Document]
    states: dict[str, CustomerState] = field(default_factory=dict)

    @property
    def known(self) -> CustomerState:
        """What is known of the person: the primary's."""
        return self.state_of(self.primary_id)

    @property
    def version(self) -> int:
        """Of the primary's stream, 0 before its first change."""
        snapshot = customer_of(self.rows[self.primary_id])
        return snapshot.version if snapshot else 0

    @property
    def blocked_as(self) -> CustomerState | None:
        """The identity by which the person is blocked, the first of them; None: they are heard."""
        blocked = [state for one in self.rows if (state := self.state_of(one)).blocked]
        return min(blocked, key=lambda state: (state.blocked_at, state.customer_id), default=None)

    @property
    def conversation_ids(self) -> list[str]:
        return [i for row in self.rows.values() for i in row.get("conversations", {})]

    def state_of(self, customer_id: str) -> CustomerState:
        """An identity's own state, also where nothing was written down about it yet."""
        if customer_id not in self.states:
            row = self.rows[customer_id]
            snapshot = customer_of(row)
            self.states[customer_id] = (
                snapshot.state if snapshot else CustomerState(row["workspace"], customer_id)
            )
        return self.states[customer_id]


async def sets_of(
    rows: Rows, workspace_id: str, customer_ids: Collection[str]
) -> dict[str, CustomerSet]:
    """The set of each customer that is there. Two queries side by side where nobody was merged;
    as many more as the merges are deep."""
    known: dict[str, Document] = {}
    asked: set[str] = set()
    wanted = set(customer_ids)
    while wanted:
        themselves, identities = await asyncio.gather(
            find_rows(rows, wanted),
            rows.find({"merged_into": {"$in": sorted(wanted)}}).to_list(),
        )
        asked |= wanted
        wanted = set()
        for row in (*themselves, *identities):
            if row["workspace"] == workspace_id:
                known[row["_id"]] = row
                wanted |= {row["_id"], row.get("merged_into", row["_id"])}
        wanted -= asked
    pointers = {i: row["merged_into"] for i, row in known.items() if "merged_into" in row}
    members: dict[str, dict[str, Document]] = {}
    for customer_id, row in known.items():
        members.setdefault(primary_of(customer_id, pointers), {})[customer_id] = row
    sets = {
        customer_id: CustomerSet(primary_id, own)
        for primary_id, own in members.items()
        if primary_id in own
        for customer_id in own
    }
    return {customer_id: sets[customer_id] for customer_id in customer_ids if customer_id in sets}
