"""What the store keeps: commits, the events in them, and the public messages they give rise to."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

# Ten digits in a commit's id (see codec.py), so that ids of one stream sort like its versions.
MAX_VERSION = 9_999_999_999

HASH_BYTES: Final = 32
# What the first commit of every stream follows on.
GENESIS: Final = bytes(HASH_BYTES)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_encode: Final = msgspec.msgpack.Encoder(order="deterministic").encode


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """One fact of a stream, as its service wrote it.

    `type` is the stable, versioned topic (`conversation.case-taken.v1`); `data` the encoded
    event, opaque to the store (it may be sealed).
    """

    type: str
    data: bytes


class PublicMessage(msgspec.Struct, frozen=True, gc=False):
    """One message for the broker, complete: the sweeper can send it without the service's code.

    `sequence` is gapless within `subject`; `time` is the fact's time, aware; `headers` are those
    that the envelope does not derive from the other fields.
    """

    topic: str
    type: str
    id: str
    key: str
    subject: str
    sequence: int
    time: datetime
    headers: dict[str, str]
    data: bytes


class Commit(msgspec.Struct, frozen=True, gc=False):
    """All that one decision appended to a stream: stored whole or not at all.

    `stream`: any non-empty name without a colon. `first`: the version of the first event, one
    more than the last version that the writer had seen (a stream begins at 1). `causes`: at least
    one id of what made the commit; a cause is applied to a stream once. `recorded_at`: aware, kept
    to the millisecond; the writer sees to it that it never runs backwards within a stream.
    `pending`: not yet known to be published; a new commit is. `aside`: its stream is set aside, and
    why; "" where it is not. `prev`: the hash of the commit that
    ends at the version decided on. `hash`: its own; of a new commit it is made here, of a stored
    one it is what is stored, whether it fits or not.
    """

    stream: str
    first: int
    causes: tuple[str, ...]
    recorded_at: datetime
    events: tuple[StoredEvent, ...]
    public: tuple[PublicMessage, ...] = ()
    pending: bool = True
    prev: bytes = GENESIS
    hash: bytes = b""
    aside: str = ""

    def __post_init__(self) -> None:
        if not self.stream or ":" in self.stream:
            raise ValueError(f"a stream's name is not empty and has no colon: {self.stream!r}")
        if not self.events:
            raise ValueError(f"a commit of {self.stream} has no events")
        if not self.causes or not all(self.causes):
            raise ValueError(f"a commit of {self.stream} has no cause")
        if self.first < 0 or self.last > MAX_VERSION:
            raise ValueError(f"a commit of {self.stream} has the version {self.first}")
        if self.recorded_at.tzinfo is None:
            raise ValueError(f"a commit of {self.stream} has a time without its zone")
        # MongoDB's dates are milliseconds. Cut here, so that a commit equals what is loaded later.
        at = self.recorded_at.astimezone(UTC)
        msgspec.structs.force_setattr(
            self, "recorded_at", at.replace(microsecond=at.microsecond // 1000 * 1000)
        )
        if not self.hash:
            if len(self.prev) != HASH_BYTES:
                raise ValueError(f"a commit of {self.stream} does not know what it follows on")
            msgspec.structs.force_setattr(self, "hash", hash_of(self))

    @property
    def last(self) -> int:
        """The version of the commit's last event: the stream's version after it."""
        return self.first + len(self.events) - 1


def hash_of(commit: Commit) -> bytes:
    """SHA-256 over what the commit follows on and everything of it that never changes.

    The bytes are MessagePack, each value in its shortest form and maps ordered by their keys, of

        [prev, stream, first, [cause…], at (ms since 1970), [[type, data]…],
         [[topic, type, id, key, subject, sequence, time (ISO 8601), headers, data]…]]

    so every part carries its length, and no other commit has the same bytes.
    """
    parts = (
        commit.prev,
        commit.stream,
        commit.first,
        commit.causes,
        (commit.recorded_at - _EPOCH) // _MILLISECOND,
        [(event.type, event.data) for event in commit.events],
        [
            (
                message.topic,
                message.type,
                message.id,
                message.key,
                message.subject,
                message.sequence,
                message.time.isoformat(),
                message.headers,
                message.data,
            )
            for message in commit.public
        ],
    )
    return hashlib.sha256(_encode(parts)).digest()


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The outcome of a commit that is now in the store."""

    commit: Commit
