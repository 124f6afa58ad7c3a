"""What the store keeps: commits, the events in them, and the public messages they give rise to."""

from datetime import UTC, datetime

import msgspec

# Ten digits in a commit's id (see codec.py), so that ids of one stream sort like its versions.
MAX_VERSION = 9_999_999_999


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
    `pending`: not yet known to be published; a new commit is.
    """

    stream: str
    first: int
    causes: tuple[str, ...]
    recorded_at: datetime
    events: tuple[StoredEvent, ...]
    public: tuple[PublicMessage, ...] = ()
    pending: bool = True

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

    @property
    def last(self) -> int:
        """The version of the commit's last event: the stream's version after it."""
        return self.first + len(self.events) - 1


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The outcome of a commit that is now in the store."""

    commit: Commit
