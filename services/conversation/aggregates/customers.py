"""Customers as a type of aggregate, with their rows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.commands import Command
from libs.eventstore.commits import Commit, PublicMessage
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows, find_rows, write_newer
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.state import CustomerState
from services.conversation.privacy.sealed_payload import Owner
from services.conversation.publishing.customers import customer_messages
from services.conversation.read_models.customers.rows import (
    customer_of,
    customer_row,
    of_customer,
    update_customer,
)


class Customers:
    """Streams named by customers' ids; their states are in the customers' rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def owns(self, commit: Commit) -> bool:
        return of_customer(commit)

    def make(
        self, stream: str, snapshot: Snapshot[CustomerState] | None, now: datetime
    ) -> Customer:
        return Customer(stream, snapshot, now)

    def workspace_of(self, state: CustomerState) -> str:
        return state.workspace_id

    def public(
        self, aggregate: Customer, origins: Sequence[Command[Customer]]
    ) -> tuple[PublicMessage, ...]:
        return customer_messages(aggregate, [command.trace for command in origins])

    async def find(self, streams: Collection[str]) -> dict[str, Snapshot[CustomerState]]:
        rows = await find_rows(self._rows, streams)
        return {row["_id"]: known for row in rows if (known := customer_of(row))}

    def row(self, stream: str, snapshot: Snapshot[CustomerState]) -> Document:
        return customer_row(stream, snapshot)

    def beside(self, commits: Sequence[Commit]) -> tuple[Document, ...]:
        return ()

    async def write(
        self,
        rows: Mapping[str, Document],
        snapshots: Mapping[str, Snapshot[CustomerState]],
        commits: Sequence[Commit],
    ) -> None:
        # Their first case made the rows.
        await write_newer(self._rows, [], list(rows.values()), update_customer)


def customer_owner(state: CustomerState) -> Owner:
    """Whose personal data the stream's events hold."""
    return Owner(state.customer_id, state.erasures + 1)
