"""One commit, one document: the shape that both drivers read and write.

    {_id: "<stream>:<first, ten digits>", stream, first, last, causes: […], at: date,
     events: [{type, data}, …],
     public: [{topic, type, id, key, subject, sequence, time, headers, data}, …],
     prev: hash, hash: hash, pending: true, aside: {at: date, why: text}}

The id is the optimistic lock: a writer's version is always one at which a commit ends, so two who
decided on the same version want the same id. Zero-padded, a range of ids is a range of versions.

`hash` is over `prev` and all that never changes (see `commits.hash_of`; `_id` and `last` follow
from it), so the commits of a stream are a chain.

Fields that are not named here are ignored, so that a later writer may add to the document (a key's
generation) and older readers go on. `aside` is on the pending commits of a stream that is set
aside, until it is tried again (see `outbox.py`). Snapshots are no commits: they live in a
collection of their own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, IndexModel

from libs.eventstore.commits import MAX_VERSION, Commit, PublicMessage, StoredEvent
from libs.eventstore.errors import CommitTooLarge, CommitUnfit, CommitUnreadable

Document = dict[str, Any]

# Kafka refuses a record over 1 MB (`max.message.bytes`), and a commit carries its public messages.
MAX_COMMIT_BYTES: Final = 900_000
CAUSES_INDEX = "causes"
PENDING_INDEX = "pending"
# When a commit may have been recorded.
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
# As everybody reads commits: one whose times or texts no Python type can hold is unreadable alone,
# and not with all that the server sent beside it.
READING: Final = CodecOptions[Document](
    tz_aware=True,
    tzinfo=UTC,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
# Of a stored commit from which the hash was taken away: it fits nothing.
_NO_HASH = b"none"

# Equality on `stream` alone (loading) is served by the prefix of the causes' index: one index
# fewer to write. The index over the unpublished ones holds only those, so it stays tiny.
INDEXES = (
    IndexModel([("stream", ASCENDING), ("causes", ASCENDING)], name=CAUSES_INDEX, unique=True),
    IndexModel([("at", ASCENDING)], name=PENDING_INDEX, partialFilterExpression={"pending": True}),
)


def commit_id(stream: str, first: int) -> str:
    """The document id of the commit that begins at version `first`."""
    return f"{stream}:{first:010d}"


def id_range(stream: str, after: int, upto: int = MAX_VERSION) -> Document:
    """A filter on `_id`: the commits of a stream with after < first <= upto."""
    return {"$gt": commit_id(stream, after), "$lte": commit_id(stream, min(upto, MAX_VERSION))}


def to_document(commit: Commit) -> Document:
    document: Document = {
        "_id": commit_id(commit.stream, commit.first),
        "stream": commit.stream,
        "first": commit.first,
        "last": commit.last,
        "causes": list(commit.causes),
        "at": commit.recorded_at,
        "events": [{"type": event.type, "data": event.data} for event in commit.events],
    }
    document["prev"] = commit.prev
    document["hash"] = commit.hash
    if commit.public:
        document["public"] = [_from_message(message) for message in commit.public]
    if commit.pending:
        document["pending"] = True
    return document


def encoded(commit: Commit, most_bytes: int) -> RawBSONDocument:
    """The commit's document, encoded once, for the limit and for the wire.

    Errors: CommitTooLarge; CommitUnfit where it holds what no document can.
    """
    try:
        document = bson.encode(to_document(commit))
    except (BSONError, OverflowError, TypeError, ValueError) as error:
        raise CommitUnfit(commit.stream, type(error).__name__) from error
    if len(document) > most_bytes:
        raise CommitTooLarge(commit.stream, len(document), most_bytes)
    return RawBSONDocument(document)


def from_document(document: Mapping[str, Any]) -> Commit:
    """The commit of a document read with `tz_aware=True`."""
    return Commit(
        stream=document["stream"],
        first=document["first"],
        causes=tuple(document["causes"]),
        recorded_at=document["at"],
        events=tuple(StoredEvent(event["type"], event["data"]) for event in document["events"]),
        public=tuple(_to_message(message) for message in document.get("public", ())),
        pending=document.get("pending", False),
        prev=document.get("prev", b""),
        hash=document.get("hash") or _NO_HASH,
        aside=document["aside"]["why"] if "aside" in document else "",
    )


def read_commit(document: Mapping[str, Any]) -> Commit:
    """As `from_document`, where nobody knows who wrote the document. Errors: CommitUnreadable."""
    try:
        commit = from_document(document)
        if not EARLIEST <= commit.recorded_at <= LATEST:
            raise OverflowError("recorded out of the range of times")
    except Exception as error:  # what stands there by mistake may be of any shape
        named = str(document.get("stream") or str(document["_id"]).rpartition(":")[0])
        raise CommitUnreadable(named, document["_id"], type(error).__name__) from error
    return commit


def _from_message(message: PublicMessage) -> Document:
    return {
        "topic": message.topic,
        "type": message.type,
        "id": message.id,
        "key": message.key,
        "subject": message.subject,
        "sequence": message.sequence,
        "time": message.time.isoformat(),  # a text: MongoDB's dates would cut the microseconds
        "headers": message.headers,
        "data": message.data,
    }


def _to_message(document: Mapping[str, Any]) -> PublicMessage:
    return PublicMessage(
        topic=document["topic"],
        type=document["type"],
        id=document["id"],
        key=document["key"],
        subject=document["subject"],
        sequence=document["sequence"],
        time=datetime.fromisoformat(document["time"]),
        headers=document["headers"],
        data=document["data"],
    )
