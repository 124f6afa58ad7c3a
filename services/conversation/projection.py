"""The outbox's second step: the read models follow the commits."""

from collections.abc import Sequence
from typing import Any

import msgspec

from libs.aggregates.aggregate import Snapshot
from libs.eventstore.decisions import Decision
from libs.runtime.mongo import Document
from services.conversation.loading import Loader
from services.conversation.tasks import Kind


class Projected[S](msgspec.Struct, frozen=True, gc=False):
    """The state after a commit, and its row in the read model."""

    snapshot: Snapshot[S]
    row: Document


class Projection:
    """Writes the rows of every kind."""

    def __init__(self) -> None:
        self._kinds: list[tuple[Kind[Any, Any], Loader[Any]]] = []

    def add(self, kind: Kind[Any, Any], loader: Loader[Any]) -> None:
        self._kinds.append((kind, loader))

    async def project(self, decisions: Sequence[Decision[Projected[Any]]]) -> None:
        for kind, loader in self._kinds:
            own = [one for one in decisions if kind.owns(one.commit)]
            if own:
                await self._project(kind, loader, own)

    async def _project(
        self,
        kind: Kind[Any, Any],
        loader: Loader[Any],
        decisions: Sequence[Decision[Projected[Any]]],
    ) -> None:
        newest: dict[str, Decision[Projected[Any]]] = {}
        for one in decisions:
            if one.stream not in newest or newest[one.stream].commit.first < one.commit.first:
                newest[one.stream] = one
        known = {stream: one.state for stream, one in newest.items() if one.state is not None}
        rows = {stream: state.row for stream, state in known.items()}
        states = {stream: state.snapshot for stream, state in known.items()}
        # What a sweeper took up was decided by somebody else: its state is loaded.
        unknown = newest.keys() - known.keys()
        loaded = await loader.carefully(unknown) if unknown else {}
        for stream, found in loaded.items():
            if found.snapshot:
                states[stream] = found.snapshot
                rows[stream] = kind.row(stream, found.snapshot)
        await kind.write(rows, states, [one.opened for one in decisions])
