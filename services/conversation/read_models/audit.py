"""A conversation's log, and the state of its chain, read from the stored commits themselves.

Nothing is opened for it: who did what and when is not sealed, and the chain is over what is sealed.
"""

from datetime import datetime
from functools import partial
from typing import Annotated, Final

import msgspec

from libs.events.api.audit import AuditEntry, AuditFinding, AuditPage, ChainState
from libs.eventstore.commits import Commit
from libs.eventstore.store import AsyncEventStore
from libs.runtime.cursors import Place, cursor_of, place_of
from libs.runtime.sharing import SharedReads
from services.conversation.read_models.verified_streams import VerifiedStreams


class _Trace(msgspec.Struct, frozen=True):
    """What every stored event says openly."""

    at: datetime
    member_id: str | None = None


class _Before(Place, frozen=True):
    """Before which version a page ends."""

    version: Annotated[int, msgspec.Meta(ge=0)]


_trace: Final = msgspec.json.Decoder(_Trace)


class Audit:
    """Of the conversation whose version is given: who has that was allowed to see it.

    ``chains``: who asks for the same chain at once shares its reading.
    """

    def __init__(
        self,
        store: AsyncEventStore,
        conversation_id: str,
        version: int,
        chains: SharedReads[ChainState],
        verified: VerifiedStreams,
    ) -> None:
        self._store = store
        self._id = conversation_id
        self._version = version
        self._chains = chains
        self._verified = verified

    async def page(self, cursor: str | None, limit: int, *, whole: bool = False) -> AuditPage:
        """Newest first; with ``whole`` the chain is read from its beginning. Errors: Invalid (the
        cursor)."""
        of = ("audit", self._id)
        before = place_of(cursor, _Before, *of).version if cursor else self._version + 1
        commits = await self._store.read(self._id, before, limit + 1, backwards=True)
        entries = [
            entry
            for commit in commits
            for entry in reversed(_entries(commit))
            if entry.version < before
        ]
        items = tuple(entries[:limit])
        more = len(entries) > limit
        chain = partial(self._chain, whole=whole)
        return AuditPage(
            items=items,
            chain=None if cursor else await self._chains.get((self._id, whole), chain),
            next=cursor_of(_Before(items[-1].version), *of) if more else None,
        )

    async def _chain(self, *, whole: bool) -> ChainState:
        known = await self._verified.verify(self._id, whole=whole)
        verified, before = known.stream, known.before
        return ChainState(
            version=verified.head.version,
            commits=verified.commits,
            head=verified.head.hash.hex(),
            verified=not verified.findings,
            verified_from=before.since if before else None,
            verified_up_to=before.head.version if before else 0,
            findings=tuple(
                AuditFinding(kind=one.kind, first=one.first, last=one.last, why=one.why)
                for one in verified.findings
                if one.kind in ("altered", "removed", "inserted")
            ),
        )


def _entries(commit: Commit) -> list[AuditEntry]:
    types = {m.sequence: m.type for m in commit.public if m.subject == commit.stream}
    entries = []
    for version, event in enumerate(commit.events, commit.first):
        try:
            trace = _trace.decode(event.data)
        except msgspec.DecodeError:  # the chain's findings name the commit
            trace = _Trace(commit.recorded_at)
        entries.append(
            AuditEntry(
                version=version,
                type=types.get(version, event.type),
                at=trace.at,
                recorded_at=commit.recorded_at,
                member_id=trace.member_id,
            )
        )
    return entries
