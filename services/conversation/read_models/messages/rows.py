"""The messages' rows: what became of each message after it was written, part by part.

A message row (``conversation_messages``) holds, each under its own stream's version, what became of
a message after it was written; a message to which nothing happened has none:

    {_id: message id, conversation, external?: […],
     delivery?: {v, recorded_at, head, state: <msgpack>, reach, sent_at?},
     edit?: {v, at, content: <msgpack>, joined?: true}, withheld?: {v, at, content: <msgpack>},
     emotion?: {v, emotion},
     deleted?: {v, at, member},
     failed?: {v, at, correction, asked, reason, reason_code, attempted: <msgpack>},
     resent?: {v, attempt, at, member, earlier: <msgpack>}}

What each part says is read in ``parts.py``.

``external``: the platform's ids of what was sent, or of an album's parts. ``joined``: nobody edited
it, more of an album came. Where an edit failed, ``edit`` says again what the customer has, ``at``
null if it is as it was sent. ``withheld`` is an edit that a blocked customer made.

``delivery.reach`` and ``delivery.sent_at`` repeat what a watermark asks for: which messages of the
conversation that were sent until then are still on their way.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from pymongo import ASCENDING, IndexModel

from libs.aggregates.aggregate import Snapshot
from libs.events.content import Content
from libs.eventstore.commits import Commit
from libs.runtime.mongo import Document, DocumentChange
from libs.runtime.rows import Rows, part_update
from services.conversation.domain.conversation.blocking import EditWithheld
from services.conversation.domain.conversation.corrections import (
    CorrectionFailed,
    MessageDeleted,
    MessageEdited,
)
from services.conversation.domain.conversation.erasure import CustomerErased
from services.conversation.domain.conversation.marks import MessageMarked
from services.conversation.domain.conversation.sending import MessageResent
from services.conversation.domain.events import Event, decode, name_of
from services.conversation.domain.sent_message import SentMessageState
from services.conversation.read_models.row_states import state_in

MESSAGES: Final = "conversation_messages"
# A customer quotes a message of the team's by the platform's id; what a watermark asks is in
# deliveries.py.
MESSAGE_INDEXES: Final = (
    IndexModel([("conversation", ASCENDING), ("external", ASCENDING)], name="external"),
    IndexModel(
        [
            ("conversation", ASCENDING),
            ("delivery.reach", ASCENDING),
            ("delivery.sent_at", ASCENDING),
        ],
        name="reach",
    ),
)

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

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(SentMessageState)
# What of a message's parts is personal, as it stands once it was erased.
_ERASED_PARTS: Final[Mapping[str, Document]] = {
    "edit": {"content": _encoder.encode(Content.blank())},
    "withheld": {"content": _encoder.encode(Content.blank())},
    "failed": {"attempted": None},
}


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
    return state_in(_decoder, part, row["_id"])


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


def update_delivery(row: Document) -> DocumentChange:
    return part_update(row, "delivery")


def update_part(row: Document) -> DocumentChange:
    """Of a row with one part, as ``parts_of`` makes them."""
    return part_update(row, next(part for part in MESSAGE_PARTS if part in row))
