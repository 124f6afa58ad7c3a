"""The customers' rows (collection ``conversation_customers``): one for each identity.

    {_id: customer id, workspace,
     conversations: {<id>: {source, channel, cases?: {"<number>": {commit, at}}}},
     known?: {v, recorded_at, head, state: <msgpack>}, merged_into?: customer id, blocked?: true}

``conversations`` comes from the conversations' streams, and is all that there is of a customer of
whom nothing was written down. Each of its fields is written once and never changes (``commit`` is
the version at which the commit begins that opened the case), so it needs no version of its own. It
holds no name and no text: those are in the inbox's rows, and in the commits.

``known`` is the customer's own stream at version ``v``, which ``merged_into`` and ``blocked`` are
taken from too: its state whole, so the row is the aggregate's snapshot as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from libs.aggregates.aggregate import Snapshot
from libs.eventstore.commits import Commit
from libs.eventstore.duplicates import refused_as_taken
from libs.runtime.mongo import Document, DocumentChange
from libs.runtime.rows import Rows, insert_missing, part_update
from services.conversation.domain.conversation.blocking import MessageWithheld
from services.conversation.domain.conversation.life import CaseOpened
from services.conversation.domain.customer.customer import is_customers
from services.conversation.domain.customer.state import CustomerState
from services.conversation.domain.events import decode, name_of
from services.conversation.read_models.row_states import state_in

CUSTOMERS: Final = "conversation_customers"
# Since the second, rows of merged identities say that they are blocked too.
VERSION: Final = 2

# The identities of a primary; and the few who are blocked, whom every replica keeps in memory.
CUSTOMER_INDEXES: Final = (
    IndexModel([("merged_into", ASCENDING)], name="merged_into", sparse=True),
    IndexModel([("blocked", ASCENDING)], name="blocked", partialFilterExpression={"blocked": True}),
)

# The events of conversations that say something of their customers.
OPENINGS_ARE_OF: Final = frozenset(name_of(event) for event in (CaseOpened, MessageWithheld))

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(CustomerState)


def of_customer(commit: Commit) -> bool:
    """Whether the commit is of a customer's stream."""
    return is_customers(commit.events[0].type)


def customer_row(stream: str, snapshot: Snapshot[CustomerState]) -> Document:
    """What the customer's own stream says, as a row."""
    state = snapshot.state
    row: Document = {
        "_id": stream,
        "workspace": state.workspace_id,
        "known": {
            "v": snapshot.version,
            "recorded_at": snapshot.recorded_at,
            "head": snapshot.head,
            "state": _encoder.encode(state),
        },
    }
    if state.merged_into is not None:
        row["merged_into"] = state.merged_into
    if state.blocked:
        row["blocked"] = True
    return row


def customer_of(row: Mapping[str, Any]) -> Snapshot[CustomerState] | None:
    """The customer's own stream at a version; None where it has not begun."""
    part = row.get("known")
    if part is None:
        return None
    return state_in(_decoder, part, row["_id"])


def update_customer(row: Document) -> DocumentChange:
    # All that is not the customer's own stream's is kept, and nothing that this stream once said.
    kept = {"_id": "$_id", "conversations": "$conversations"}
    older = part_update(row, "known").where
    return DocumentChange(older, {"$mergeObjects": [kept, {"$literal": row}]})


def openings_of(commits: Iterable[Commit]) -> list[Document]:
    """What the conversations' commits say of their customers, one row for each customer."""
    rows: dict[str, Document] = {}
    for commit in commits:
        for stored in commit.events:
            if stored.type not in OPENINGS_ARE_OF:
                continue
            match decode(stored.type, stored.data):
                case CaseOpened() as thread:
                    cases = {str(thread.number): {"commit": commit.first, "at": thread.at}}
                case MessageWithheld(begins=thread) if thread is not None:
                    cases = {}
                case _:
                    continue
            row = rows.setdefault(
                thread.customer_id,
                {"_id": thread.customer_id, "workspace": thread.workspace_id, "conversations": {}},
            )
            known = row["conversations"].setdefault(
                commit.stream, {"source": thread.source_id, "channel": str(thread.channel)}
            )
            if cases:
                known["cases"] = known.get("cases", {}) | cases
    return list(rows.values())


async def write_openings(rows: Rows, openings: Sequence[Document]) -> None:
    """See that all of it is there. A customer is mostly new with their first case."""
    new = [row for row in openings if _begins(row)]
    refused = await insert_missing(rows, new)
    updates = [update_openings(row) for row in openings if not _begins(row) or row in refused]
    if not updates:
        return
    try:
        await rows.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        refused_as_taken(error)
        # Another process inserted the row between this one's look and its own insert: now it is
        # there.
        await rows.bulk_write(updates, ordered=False)


def _begins(row: Document) -> bool:
    return all("1" in known.get("cases", {"1": None}) for known in row["conversations"].values())


def update_openings(row: Document) -> UpdateOne:
    fields: Document = {"workspace": row["workspace"]}
    for conversation_id, known in row["conversations"].items():
        path = f"conversations.{conversation_id}"
        fields[f"{path}.source"] = known["source"]
        fields[f"{path}.channel"] = known["channel"]
        for number, case in known.get("cases", {}).items():
            fields[f"{path}.cases.{number}"] = case
    return UpdateOne({"_id": row["_id"]}, {"$set": fields}, upsert=True)
