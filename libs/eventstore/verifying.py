"""Verifying what a store holds: one stream, or everything. What is checked is in `chain.py`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.eventstore.chain import Chain, Finding, Head, id_of, no_commit
from libs.eventstore.codec import Document
from libs.eventstore.commits import MAX_VERSION
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
    verified = await _verify_once(store, stream, known)
    # A read that runs while others append may miss a commit and see the next one (as in `load`).
    return await _verify_once(store, stream, known) if verified.findings else verified


async def verify_after(
    store: AsyncEventStore, stream: str, head: Head, upto: int = MAX_VERSION
) -> VerifiedStream | None:
    """Verify what follows a head that was verified before: the commits that begin after it, and not
    after version `upto`. None where they do not fit, which only the whole stream explains.

    Documents whose ids do not name the stream are not looked for; `verify_stream` finds them.
    """
    chain = Chain(stream, begins=head)
    async for batch in store.documents(stream, after=head.version, upto=upto):
        if await asyncio.to_thread(_added, chain, batch):
            return None
    if list(chain.finish()):
        return None
    return VerifiedStream(stream, chain.commits, chain.head, ())


async def verify_all(store: AsyncEventStore, known: Mapping[str, Head] | None = None) -> Verified:
    """Verify every stream, also while others append.

    `known`: heads that were written down elsewhere, by stream; what was known before the call.
    """
    known = known or {}
    missing, verified = set(known), Verified()
    chain: Chain | None = None
    findings: list[Finding] = []

    async def finish(chain: Chain) -> None:
        verified.streams += 1
        verified.commits += chain.commits
        if [*findings, *chain.finish()]:
            again = await verify_stream(store, chain.stream, known.get(chain.stream))
            verified.findings += again.findings
        findings.clear()

    async for batch in store.documents():
        for document in batch:
            named = id_of(document)
            if named is None:
                verified.findings.append(no_commit(document))
                continue
            if chain is None or chain.stream != named[0]:
                if chain is not None:
                    await finish(chain)
                chain = Chain(named[0], known.get(named[0]))
                missing.discard(chain.stream)
            findings += chain.add(document)
        await asyncio.sleep(0)  # a batch takes milliseconds; others wait on this loop
    if chain is not None:
        await finish(chain)
    for stream in sorted(missing):
        verified.findings += (await verify_stream(store, stream, known[stream])).findings
    return verified


async def _verify_once(store: AsyncEventStore, stream: str, known: Head | None) -> VerifiedStream:
    chain = Chain(stream, known)
    findings: list[Finding] = []
    async for batch in store.documents(stream):
        # Hashing a batch takes tens of milliseconds, for which nobody else has to wait.
        findings += await asyncio.to_thread(_added, chain, batch)
    findings += chain.finish()
    findings += [no_commit(document) for document in await store.strangers(stream)]
    return VerifiedStream(stream, chain.commits, chain.head, tuple(findings))


def _added(chain: Chain, batch: Sequence[Document]) -> list[Finding]:
    return [finding for document in batch for finding in chain.add(document)]
