"""The inbox's rows: one for each conversation, which is the aggregate's snapshot too.

An inbox row (collection ``conversation_inbox``) is a pure function of a conversation's state:

    {_id: conversation id, workspace, customer, v: version, recorded_at, head, state: <msgpack>,
     case_state, location, group, people: [member id…], responsible, source, channel, active_at,
     opened_at, priority, flagged, unread, waiting_since?, due_in?, due_at?, keys: [key…],
     funnel, has_phone, has_email, routing_since?, post?,
     moved_back?: {waiting?, priority?, due?}}

``state`` is the whole state, so the row is the aggregate's snapshot too, with ``head``, the hash of
the commit that ends at the version; what stands beside it is what lists are asked by. ``people``
names workspace-wide unique members of the case; the ``keys`` are those of ``row_keys.py``.
``due_in`` repeats the workspace where the case is due: a field that no other index begins with.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel

from libs.aggregates.aggregate import Snapshot
from libs.runtime.mongo import Document
from services.conversation.domain.conversation.state import ConversationState, Thread
from services.conversation.read_models.inbox.row_keys import keys_of
from services.conversation.read_models.row_states import state_in

INBOX: Final = "conversation_inbox"

# The lists' queries are in queries.py; the routing index holds only the cases in routing.
INBOX_INDEXES: Final = (
    IndexModel(
        [("workspace", ASCENDING), ("keys", ASCENDING), ("active_at", DESCENDING)], name="lists"
    ),
    IndexModel(
        [("workspace", ASCENDING), ("case_state", ASCENDING), ("waiting_since", ASCENDING)],
        name="waiting",
    ),
    IndexModel([("customer", ASCENDING)], name="customer"),
    # Those who comment under one post; what is asked is in comments.py.
    IndexModel(
        [("workspace", ASCENDING), ("post", ASCENDING), ("active_at", DESCENDING)],
        name="post",
        partialFilterExpression={"post": {"$exists": True}},
    ),
    IndexModel(
        [("due_in", ASCENDING), ("due_at", ASCENDING)],
        name="due_in",
        partialFilterExpression={"due_in": {"$exists": True}},
    ),
    IndexModel(
        [("routing_since", ASCENDING)],
        name="routing",
        partialFilterExpression={"case_state": "routing"},
    ),
)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(ConversationState)


def inbox_row(stream: str, snapshot: Snapshot[ConversationState]) -> Document:
    state, case, shown = snapshot.state, snapshot.state.case, snapshot.state.shown_as
    row: Document = {
        "_id": stream,
        "workspace": state.thread.workspace_id,
        "customer": state.customer_id,
        "v": snapshot.version,
        "recorded_at": snapshot.recorded_at,
        "head": snapshot.head,
        "state": _encoder.encode(state),
        "case_state": case.state,
        "location": case.location_id,
        "group": case.group_id,
        "people": list(case.people),
        "responsible": case.responsible,
        "source": state.thread.source_id,
        "channel": state.thread.channel,
        "active_at": state.active_at,
        "opened_at": case.opened_at,
        "priority": case.priority,
        "flagged": state.flagged,
        "unread": state.unread,
        "keys": keys_of(state),
        "funnel": shown.funnel_status,
        "has_phone": shown.has_phone,
        "has_email": shown.has_email,
    }
    if case.waiting_since is not None:
        row["waiting_since"] = case.waiting_since
    if case.due_at is not None and case.state in ("new", "active"):
        row |= {"due_in": state.thread.workspace_id, "due_at": case.due_at}
    if case.state == "routing":
        row["routing_since"] = case.recorded_at
    moved = msgspec.structs.asdict(state.moved_back)
    if known := {order: at for order, at in moved.items() if at is not None}:
        row["moved_back"] = known
    if state.thread.post is not None:
        row["post"] = post_of(state.thread)
    return row


def post_of(thread: Thread) -> str | None:
    """What a row calls the post: the platform's id of it is unique within its source."""
    return f"{thread.source_id}/{thread.post.external_id}" if thread.post else None


def snapshot_of(row: Mapping[str, Any]) -> Snapshot[ConversationState]:
    """Errors: UnreadableRow."""
    # Lists ask for rows without their heads: nothing is decided on those.
    return state_in(_decoder, row, row["_id"])
