"""The outbox's second step: the read models follow the commits."""

from collections.abc import Sequence
from typing import Any

from libs.aggregates.aggregate import Snapshot
from libs.eventstore.commits import Commit
from libs.runtime.mongo import Document
from services.conversation.loading import Loader
from services.conversation.privacy.sealed_store import SealedStore
from services.conversation.tasks import Kind


class Projection:
    """Writes the rows of every kind. Whoever decided on a commit leaves the state here."""

    def __init__(self, store: SealedStore) -> None:
        self._store = store
        self._kinds: list[tuple[Kind[Any, Any], Loader[Any]]] = []
        # By the commit's identity: another decision may want the same version of the same stream.
        self._decided: dict[int, tuple[Snapshot[Any], Document]] = {}

    def add(self, kind: Kind[Any, Any], loader: Loader[Any]) -> None:
        self._kinds.append((kind, loader))

    def decided(self, commit: Commit, snapshot: Snapshot[Any], row: Document) -> None:
        """The state after ``commit``, and its row; ``settled`` has to be called in the end."""
        self._decided[id(commit)] = snapshot, row

    def settled(self, commit: Commit) -> None:
        self._decided.pop(id(commit), None)

    async def project(self, commits: Sequence[Commit]) -> None:
        opened = await self._store.open_events(commits)
        for kind, loader in self._kinds:
            own = [one for one in zip(commits, opened, strict=True) if kind.owns(one[0])]
            if own:
                await self._project(kind, loader, own)

    async def _project(
        self, kind: Kind[Any, Any], loader: Loader[Any], commits: Sequence[tuple[Commit, Commit]]
    ) -> None:
        """``commits``: each as it is stored, and opened."""
        newest: dict[str, Commit] = {}
        for commit, _ in commits:
            if commit.stream not in newest or newest[commit.stream].first < commit.first:
                newest[commit.stream] = commit
        rows: dict[str, Document] = {}
        states: dict[str, Snapshot[Any]] = {}
        unknown: list[str] = []
        for stream, commit in newest.items():
            if (decided := self._decided.get(id(commit))) is not None:
                states[stream], rows[stream] = decided
            else:
                unknown.append(stream)
        # What a sweeper took up was decided by somebody else: its state is loaded.
        loaded = await loader.carefully(unknown) if unknown else {}
        for stream, one in loaded.items():
            if one.snapshot:
                states[stream] = one.snapshot
                rows[stream] = kind.row(stream, one.snapshot)
        await kind.write(rows, states, [opened for _, opened in commits])
