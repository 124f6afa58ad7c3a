"""Commits as the tests need them: the text of an event tells which it is."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from libs.eventstore.commits import GENESIS, Commit, PublicMessage, StoredEvent

AT = datetime(2025, 11, 2, 10, 41, 7, 123_456, tzinfo=UTC)


def commit_of(
    stream: str,
    first: int = 1,
    *,
    events: int = 1,
    causes: tuple[str, ...] = (),
    at: datetime = AT,
    public: bool = True,
) -> Commit:
    versions = range(first, first + events)
    return Commit(
        stream=stream,
        first=first,
        causes=causes or (f"cause-of-{first}",),
        recorded_at=at,
        events=tuple(StoredEvent("test.noted.v1", f"{stream} {v}".encode()) for v in versions),
        public=tuple(message_of(stream, version) for version in versions) if public else (),
    )


def chained(
    stream: str, sizes: Sequence[int], *, after: tuple[int, bytes] = (0, GENESIS)
) -> list[Commit]:
    """Commits of so many events each, one built on the other. `after`: a version and its hash."""
    (version, prev), commits = after, []
    for size in sizes:
        commit = replace(commit_of(stream, version + 1, events=size), prev=prev, hash=b"")
        commits.append(commit)
        version, prev = commit.last, commit.hash
    return commits


def message_of(stream: str, sequence: int) -> PublicMessage:
    return PublicMessage(
        topic="test.topic",
        type="test.noted.v1",
        id=f"{stream}-{sequence}",
        key=stream,
        subject=stream,
        sequence=sequence,
        time=AT,
        headers={"ce_workspace": "w1"},
        data=b'{"text": "hello"}',
    )
