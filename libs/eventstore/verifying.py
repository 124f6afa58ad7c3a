"""Verifying what a store holds: one stream, or everything. What is checked is in `chain.py`."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from libs.eventstore.chain import Chain, Finding, Head, id_of, no_commit
from libs.eventstore.codec import Document
from libs.eventstore.store import AsyncEventStore


@dataclass(frozen=True, slots=True)
class VerifiedStream:
    """`head` is what the stream ends with; `Head(0, GENESIS)` where there is nothing of it."""

    stream: str
    commits: int
    head: Head
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class Verified:
    """All that the store holds; it is as it was written where there are no `findings`."""

    streams: int = 0
    commits: int = 0
    findings: list[Finding] = field(default_factory=list)


async def verify_stream(
    store: AsyncEventStore, stream: str, known: Head | None = None
) -> VerifiedStream:
    """Verify one stream. `known`: a head of it that was written down elsewhere."""
    chain = Chain(stream, known)
    findings: list[Finding] = []
    async for batch in store.documents(stream):
        for document in batch:
            findings += chain.add(document)
        await asyncio.sleep(0)  # a batch takes milliseconds; others wait on this loop
    findings += chain.finish()
    findings += [no_commit(document) for document in await store.strangers(stream)]
    return VerifiedStream(stream, chain.commits, chain.head, tuple(findings))


async def verify_all(store: AsyncEventStore, known: Mapping[str, Head] | None = None) -> Verified:
    """Verify every stream. `known`: heads that were written down elsewhere, by stream."""
    scan = _Scan(known or {})
    async for batch in store.documents():
        for document in batch:
            scan.verified.findings += scan.add(document)
        await asyncio.sleep(0)
    scan.verified.findings += scan.finish()
    return scan.verified


class _Scan:
    def __init__(self, known: Mapping[str, Head]) -> None:
        self.verified = Verified()
        self._known = known
        self._chain: Chain | None = None
        self._missing = set(known)

    def add(self, document: Document) -> Iterator[Finding]:
        named = id_of(document)
        if named is None:
            yield no_commit(document)
            return
        stream = named[0]
        if self._chain is None or self._chain.stream != stream:
            yield from self._finish_stream()
            self._chain = Chain(stream, self._known.get(stream))
            self._missing.discard(stream)
        yield from self._chain.add(document)

    def finish(self) -> Iterator[Finding]:
        yield from self._finish_stream()
        for stream in sorted(self._missing):
            yield from Chain(stream, self._known[stream]).finish()

    def _finish_stream(self) -> Iterator[Finding]:
        if self._chain is not None:
            self.verified.streams += 1
            self.verified.commits += self._chain.commits
            yield from self._chain.finish()
