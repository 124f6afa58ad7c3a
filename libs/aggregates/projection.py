"""The outbox's second step: the read models follow the commits."""

from collections.abc import Sequence
from typing import Any

import msgspec

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.aggregate_type import AggregateType
from libs.aggregates.repository import AggregateRepository
from libs.eventstore.codec import Document
from libs.eventstore.decisions import Decision


class Projected[S](msgspec.Struct, frozen=True, gc=False):
    """The state after a commit, and its row in the read model: what a decision's state is."""

    snapshot: Snapshot[S]
    row: Document


class Projector:
    """Writes the rows of every type of aggregate; `project` is the outbox's."""

    def __init__(self) -> None:
        self._types: list[tuple[AggregateType[Any, Any], AggregateRepository[Any]]] = []

    def add[S](
        self, aggregate_type: AggregateType[S, Any], repository: AggregateRepository[S]
    ) -> None:
        """The type's rows are written too; `repository` loads what others decided."""
        self._types.append((aggregate_type, repository))

    async def project(self, decisions: Sequence[Decision[Projected[Any]]]) -> None:
        """Errors: the repository's, and those of writing the rows."""
        for aggregate_type, repository in self._types:
            own = [one for one in decisions if aggregate_type.owns(one.commit)]
            if own:
                await _project(aggregate_type, repository, own)


async def _project[S](
    aggregate_type: AggregateType[S, Any],
    repository: AggregateRepository[S],
    decisions: Sequence[Decision[Projected[S]]],
) -> None:
    newest: dict[str, Decision[Projected[S]]] = {}
    for one in decisions:
        if one.stream not in newest or newest[one.stream].commit.first < one.commit.first:
            newest[one.stream] = one
    known = {stream: one.state for stream, one in newest.items() if one.state is not None}
    rows = {stream: state.row for stream, state in known.items()}
    states = {stream: state.snapshot for stream, state in known.items()}
    # What a sweeper took up was decided by somebody else: its state is loaded.
    unknown = newest.keys() - known.keys()
    loaded = await repository.load_consistent(unknown) if unknown else {}
    for stream, found in loaded.items():
        if found.snapshot:
            states[stream] = found.snapshot
            rows[stream] = aggregate_type.row(stream, found.snapshot)
    await aggregate_type.write(rows, states, [one.opened for one in decisions])
