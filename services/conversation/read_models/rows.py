"""The read models' documents: inbox rows and message rows. Each carries the versions it is made of.

An inbox row (collection ``conversation_inbox``) is a pure function of a conversation's state:

    {_id: conversation id, workspace, customer, v: version, recorded_at, head, state: <msgpack>,
     case_state, location, group, people: [member id…], responsible, source, channel, active_at,
     opened_at, priority, flagged, unread, waiting_since?, due_in?, due_at?, keys: [key…],
     funnel, has_phone, has_email, routing_since?, post?,
     moved_back?: {waiting?, priority?, due?}}

``state`` is the whole state, so the row is the aggregate's snapshot too, with ``head``, the hash of
the commit that ends at the version; what stands beside it is what lists are asked by. ``people``
names workspace-wide unique members of the case; the ``keys`` are those of ``inbox/row_keys.py``.
``due_in`` repeats the workspace where the case is due: a field that no other index begins with.

A message row (``conversation_messages``) holds, each under its own stream's version, what became of
a message after it was written; a message to which nothing happened has none:

    {_id: message id, conversation, external?: […],
     delivery?: {v, recorded_at, head, state: <msgpack>, reach, sent_at?},
     edit?: {v, at, content: <msgpack>, joined?: true}, withheld?: {v, at, content: <msgpack>},
     emotion?: {v, emotion},
     deleted?: {v, at, member},
     failed?: {v, at, correction, asked, reason, reason_code, attempted: <msgpack>},
     resent?: {v, attempt, at, member, earlier: <msgpack>}}

What each part says is read in ``messages/rows.py``.

``external``: the platform's ids of what was sent, or of an album's parts. ``joined``: nobody edited
it, more of an album came. Where an edit failed, ``edit`` says again what the customer has, ``at``
null if it is as it was sent. ``withheld`` is an edit that a blocked customer made.

``delivery.reach`` and ``delivery.sent_at`` repeat what a watermark asks for: which messages of the
conversation that were sent until then are still on their way.

A row is written only over an older version. Rows are written in few calls: new ones in one insert,
known ones in one update (``change_each`` says what that saves).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from libs.events.content import Content
from libs.eventstore.commits import Commit
from libs.eventstore.duplicates import refused_as_taken
from libs.runtime.mongo import Change, Document, change_each, with_fields
from services.conversation.domain.aggregate import Snapshot
from services.conversation.domain.conversation.blocking import EditWithheld
from services.conversation.domain.conversation.corrections import (
    CorrectionFailed,
    MessageDeleted,
    MessageEdited,
)
from services.conversation.domain.conversation.erasure import CustomerErased
from services.conversation.domain.conversation.marks import MessageMarked
from services.conversation.domain.conversation.sending import MessageResent
from services.conversation.domain.conversation.state import ConversationState, Thread
from services.conversation.domain.events import Event, decode, name_of
from services.conversation.domain.sent_message import SentMessageState
from services.conversation.read_models.inbox.row_keys import keys_of
from services.conversation.read_models.row_states import state_in

type Rows = AsyncCollection[Document]
type Replacement = Callable[[Document], Change]

COMMITS: Final = "conversation_commits"
INBOX: Final = "conversation_inbox"
MESSAGES: Final = "conversation_messages"
ANSWERS: Final = "conversation_answers"
COUNTERS: Final = "conversation_counters"
DRAFTS: Final = "conversation_drafts"

# What a conversation's events say of a message, beside the message's own ``delivery``.
MESSAGE_PARTS: Final = ("edit", "withheld", "emotion", "deleted", "failed", "resent")
_MESSAGE_EVENTS: Final = frozenset(
    name_of(event)
    for event in (
        MessageEdited,
        EditWithheld,
        MessageMarked,
        MessageDeleted,
        CorrectionFailed,
        MessageResent,
    )
)
_ERASED: Final = name_of(CustomerErased)
_FAILED_FIELDS: Final = ("at", "correction", "asked", "reason", "reason_code")
# Of which ``parts_of`` makes what it makes.
PARTS_ARE_OF: Final = _MESSAGE_EVENTS | {_ERASED}

_FIND_BATCH: Final = 10_000

_encoder: Final = msgspec.msgpack.Encoder()
_state_decoder: Final = msgspec.msgpack.Decoder(ConversationState)
_sent_decoder: Final = msgspec.msgpack.Decoder(SentMessageState)
# What of a message's parts is personal, as it stands once it was erased.
_ERASED_PARTS: Final[Mapping[str, Document]] = {
    "edit": {"content": _encoder.encode(Content.blank())},
    "withheld": {"content": _encoder.encode(Content.blank())},
    "failed": {"attempted": None},
}


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
    return state_in(_state_decoder, row, row["_id"])


def delivery_row(stream: str, snapshot: Snapshot[SentMessageState]) -> Document:
    state = snapshot.state
    return {
        "_id": stream,
        "conversation": state.sent_in.conversation_id,
        "delivery": {
            "v": snapshot.version,
            "recorded_at": snapshot.recorded_at,
            "head": snapshot.head,
            "state": _encoder.encode(state),
            "reach": state.state,
            "sent_at": state.sent_at,
        },
        "external": list(state.external_message_ids),
    }


def delivery_of(row: Mapping[str, Any]) -> Snapshot[SentMessageState] | None:
    part = row.get("delivery")
    if part is None:
        return None
    return state_in(_sent_decoder, part, row["_id"])


def parts_of(commits: Sequence[Commit]) -> list[Document]:
    """The message rows' parts that the conversations' commits give rise to, each a document.

    One that was erased has the version of the erasure: nothing that was written before replaces
    it.
    """
    newest: dict[tuple[str, str], Document] = {}
    for commit in commits:
        for version, stored in enumerate(commit.events, commit.first):
            if stored.type == _ERASED:
                _erase(newest, commit.stream, version)
            if stored.type not in _MESSAGE_EVENTS:
                continue
            for message_id, name, part in _parts_of(decode(stored.type, stored.data)):
                external = part.pop("external", None)
                newest[message_id, name] = {
                    "_id": message_id,
                    "conversation": commit.stream,
                    name: {"v": version, **part},
                    **({"external": external} if external else {}),
                }
    return list(newest.values())


def _erase(parts: Mapping[tuple[str, str], Document], stream: str, version: int) -> None:
    for (_, name), document in parts.items():
        if name in _ERASED_PARTS and document["conversation"] == stream:
            document[name] |= {"v": version, **_ERASED_PARTS[name]}


def erased_before(row: Document, version: int) -> Document:
    """A row of parts, without what is personal in those older than the version."""
    return row | {
        name: row[name] | blank
        for name, blank in _ERASED_PARTS.items()
        if name in row and row[name]["v"] < version
    }


async def erase_parts(messages: Rows, commits: Sequence[Commit]) -> None:
    """The parts that stand in the rows already, for those of the commits that erase."""
    for commit in commits:
        for version, stored in enumerate(commit.events, commit.first):
            for name, blank in _ERASED_PARTS.items() if stored.type == _ERASED else ():
                await messages.update_many(
                    {"conversation": commit.stream, f"{name}.v": {"$lt": version}},
                    {
                        "$set": {f"{name}.v": version}
                        | {f"{name}.{field}": value for field, value in blank.items()}
                    },
                )


def _parts_of(event: Event[Any]) -> Iterator[tuple[str, str, Document]]:
    """Of each part that is new: the message, the part's name, and what it says."""
    match event:
        case MessageEdited():
            part = {"at": event.edited_at or event.at, "content": _encoder.encode(event.content)}
            if event.joined:
                part["joined"] = True
            part["external"] = [
                one.external_message_id
                for one in event.content.attachments
                if one.external_message_id is not None
            ]
            yield event.message_id, "edit", part
        case EditWithheld():
            part = {"at": event.at, "content": _encoder.encode(event.content)}
            yield event.message_id, "withheld", part
        case MessageMarked():
            yield event.message_id, "emotion", {"emotion": event.emotion}
        case MessageDeleted():
            yield event.message_id, "deleted", {"at": event.at, "member": event.member_id}
        case MessageResent():
            resent = {"attempt": event.attempt, "at": event.at, "member": event.member_id}
            yield event.message_id, "resent", {**resent, "earlier": _encoder.encode(event.earlier)}
        case CorrectionFailed():
            attempted = _encoder.encode(event.attempted) if event.attempted else None
            failed = {name: getattr(event, name) for name in _FAILED_FIELDS}
            yield event.message_id, "failed", {**failed, "attempted": attempted}
            if event.correction == "delete":
                yield event.message_id, "deleted", {"at": None, "member": None}
            elif event.is_known:
                part = {"at": event.edited_at, "content": _encoder.encode(event.content)}
                yield event.message_id, "edit", part


def replacing(row: Document) -> Change:
    """Of a row that has one version, at ``v``."""
    return Change({"$lt": ["$v", row["v"]]}, {"$literal": row})


def update_delivery(row: Document) -> Change:
    return part_update(row, "delivery")


def update_part(row: Document) -> Change:
    """Of a row with one part, as ``parts_of`` makes them."""
    return part_update(row, next(part for part in MESSAGE_PARTS if part in row))


def part_update(row: Document, part: str) -> Change:
    older = {"$lt": [{"$ifNull": [f"${part}.v", 0]}, row[part]["v"]]}
    return Change(older, with_fields(row))


async def find_rows(rows: Rows, ids: Collection[str]) -> list[Document]:
    if not ids:
        return []
    return await rows.find({"_id": {"$in": list(ids)}}, batch_size=_FIND_BATCH).to_list()


async def write_newer(
    rows: Rows, new: Sequence[Document], known: Sequence[Document], replacement: Replacement
) -> None:
    """See that each document, or a newer version of it, is there.

    ``new`` are thought not to be there yet, ``known`` to be; being wrong costs a round trip.
    """
    # Who is there already may be older, and then has to be replaced.
    updates = [*known, *await insert_missing(rows, new)]
    if await _update(rows, updates, replacement):
        return
    # Some are not there. Once an insert is refused the row is there for certain, so the second
    # update decides.
    refused = await insert_missing(rows, known)
    await _update(rows, refused, replacement)


async def insert_missing(rows: Rows, documents: Sequence[Document]) -> list[Document]:
    """Insert what is not there; the answer is what is: those refused because of their id."""
    if not documents:
        return []
    try:
        await rows.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return [documents[failure["index"]] for failure in refused_as_taken(error)]
    return []


async def _update(rows: Rows, updates: Sequence[Document], replacement: Replacement) -> bool:
    """Whether each of the rows is there, now at least as new."""
    # Not in a transaction of the client's: one that a killed process leaves open keeps everybody
    # off its rows until the server gives it up, after 60 s.
    there = True
    while updates:
        # Two parts of one row come one after the other.
        changes: dict[str, Change] = {}
        later = []
        for row in updates:
            if row["_id"] in changes:
                later.append(row)
            else:
                changes[row["_id"]] = replacement(row)
        there &= await change_each(rows, changes) == len(changes)
        updates = later
    return there
