"""What the types of aggregate of a service differ in, for the repository, the command handler and
the projector."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.commands import Command
from libs.eventstore.codec import Document
from libs.eventstore.commits import Commit, PublicMessage


class AggregateType[S, A](Protocol):
    """A type of aggregate: how one is made, told to the world, and kept in read models."""

    def owns(self, commit: Commit) -> bool:
        """Whether the commit is of a stream of this type."""
        ...

    def make(self, stream: str, snapshot: Snapshot[S] | None, now: datetime) -> A:
        """The aggregate as it is at the snapshot, to decide on."""
        ...

    def workspace_of(self, state: S) -> str: ...

    def public(self, aggregate: A, origins: Sequence[Command[A]]) -> tuple[PublicMessage, ...]:
        """The public messages of the changes; `origins` are their commands, one a change."""
        ...

    async def find(self, streams: Collection[str]) -> dict[str, Snapshot[S]]:
        """The states that the read model's rows hold."""
        ...

    def row(self, stream: str, snapshot: Snapshot[S]) -> Document:
        """The read model's row of a state."""
        ...

    def beside(self, commits: Sequence[Commit]) -> Sequence[Document]:
        """What else the commits say in the read models, for nothing of it must be impossible to
        write down."""
        ...

    async def write(
        self,
        rows: Mapping[str, Document],
        snapshots: Mapping[str, Snapshot[S]],
        commits: Sequence[Commit],
    ) -> None:
        """Update the read models with the newest states, and with what the commits say."""
        ...
