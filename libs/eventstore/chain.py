"""Verifying chains: which commit was altered, removed or inserted.

Each commit holds the hash of the one before it in its stream and its own (`commits.hash_of`).
Whoever changes one and leaves its hash, takes one away, or puts one between two others is found by
what is stored; so is who makes its hash anew, because the next commit was built on another one.

What a chain alone cannot show is that its end was cut off, that it was made anew from some commit
to its end, or that the whole stream is gone. That shows where its head is known from elsewhere.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from libs.eventstore.codec import from_document
from libs.eventstore.commits import GENESIS, Commit, hash_of

type FindingKind = Literal["altered", "removed", "inserted", "cut off", "made anew"]

_DIGITS: Final = 10
# What decoding a document raises that is no commit: one of these, whatever stands in it.
_UNREADABLE: Final = (LookupError, TypeError, ValueError, AttributeError, OverflowError)


class Finding(msgspec.Struct, frozen=True):
    """What happened to the versions `first` to `last` of a stream, and how it shows."""

    kind: FindingKind
    stream: str
    first: int
    last: int
    why: str

    def __str__(self) -> str:
        versions = str(self.first) if self.first == self.last else f"{self.first} to {self.last}"
        return f"{self.stream} {versions} was {self.kind}: {self.why}"


class Head(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The version at which a commit ends, and that commit's hash."""

    version: int
    hash: bytes


class Chain:
    """One stream as far as it was seen: `add` its documents in order, then `finish`.

    Documents are MongoDB's, read with `tz_aware=True`; nothing in them is believed. `known`: a
    head that was written down elsewhere. `commits` and `head` say what there was. `begins`: a head
    after which the documents come; whatever is found then is found whole only from the beginning.
    """

    def __init__(self, stream: str, known: Head | None = None, begins: Head | None = None) -> None:
        self.stream = stream
        self.commits = 0
        self.head = begins or Head(0, GENESIS)
        self._known = known
        # The last commit, and whether something was found about it.
        self._before: Commit | None = None
        self._before_found = False
        # A link is broken between this one and the last: the next link tells which was replaced.
        self._doubted: Commit | None = None
        # A document could not be read: what comes next cannot be linked to anything.
        self._lost = False

    def add(self, document: Mapping[str, Any]) -> Iterator[Finding]:
        """The next document, and what it shows."""
        named = id_of(document)
        if named is None:
            yield no_commit(document)
            return
        self.commits += 1
        commit = _read(document)
        if commit is None:
            yield from self._settle(linked=True)
            broken = "it is not a commit, or not the one that its id names"
            yield Finding("altered", self.stream, named[1], named[1], broken)
            self._lost = True
            return
        linked = commit.prev == self.head.hash
        expected = self.head.version + 1
        if commit.first < expected and not self._before_found:
            there = f"version {commit.first} was there already"
            yield Finding("inserted", self.stream, commit.first, commit.last, there)
            return
        # A commit that lost or gained events, but not its hash, is no gap: the link shows it.
        gap = commit.first != expected and not (self._before_found and linked)
        yield from self._settle(linked=linked or gap or self._lost)
        if gap and commit.first > expected and not self._lost:
            yield Finding("removed", self.stream, expected, commit.first - 1, "it is not there")
        found = False
        if (why := _disagreement(commit, document)) is not None:
            found = True
            yield self._altered(commit, why)
        elif not (linked or gap or self._lost or self._before_found):
            if self._before is None:
                found = True
                yield self._altered(commit, "it is a stream's first and follows on something")
            else:
                self._doubted = self._before
        yield from self._compared(commit, found=found)
        self._before, self._before_found, self._lost = commit, found, False
        self.head = Head(commit.last, commit.hash)

    def finish(self) -> Iterator[Finding]:
        """There is nothing more of the stream."""
        yield from self._settle(linked=True)
        known = self._known
        if known is not None and known.version > self.head.version:
            why = "it was written down elsewhere, and the stream ends before it"
            yield Finding("cut off", self.stream, self.head.version + 1, known.version, why)

    def _settle(self, *, linked: bool) -> Iterator[Finding]:
        """Say which of two commits was replaced, now that the next link is known."""
        doubted, self._doubted = self._doubted, None
        if doubted is None:
            return
        if linked or self._before is None:
            yield self._altered(doubted, "the next commit was built on another one")
        else:
            self._before_found = True
            yield self._altered(self._before, "neither neighbour is linked to it")

    def _compared(self, commit: Commit, *, found: bool) -> Iterator[Finding]:
        known = self._known
        if known is None or not commit.first <= known.version <= commit.last:
            return
        if not found and (commit.last, commit.hash) != (known.version, known.hash):
            why = f"the hash at version {known.version} was written down elsewhere as another one"
            yield Finding("made anew", self.stream, 1, commit.last, why)

    def _altered(self, commit: Commit, why: str) -> Finding:
        return Finding("altered", self.stream, commit.first, commit.last, why)


def id_of(document: Mapping[str, Any]) -> tuple[str, int] | None:
    """The stream and the version that a document's id names; None where it is no commit's id."""
    stream, _, version = str(document["_id"]).rpartition(":")
    is_one = isinstance(document["_id"], str) and stream and len(version) == _DIGITS
    return (stream, int(version)) if is_one and version.isdecimal() else None


def no_commit(document: Mapping[str, Any]) -> Finding:
    """Of a document whose id is no commit's, or names another stream than it says it is of."""
    why = f"its id is {document['_id']!r}, which is not one of this stream"
    return Finding("inserted", str(document.get("stream", "?")), 0, 0, why)


def _read(document: Mapping[str, Any]) -> Commit | None:
    try:
        commit = from_document(document)
        return commit if id_of(document) == (commit.stream, commit.first) else None
    except _UNREADABLE:
        return None


def _disagreement(commit: Commit, document: Mapping[str, Any]) -> str | None:
    if document.get("last") != commit.last:
        return "its last version is not that of its last event"
    try:
        return None if hash_of(commit) == commit.hash else "its hash is not that of what it holds"
    except _UNREADABLE:
        return "it holds what no commit holds"
