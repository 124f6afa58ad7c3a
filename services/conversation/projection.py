"""The outbox's second step: the read models follow the commits."""

from collections.abc import Sequence
from typing import Any

from libs.eventstore.commits import Commit
from services.conversation.domain.aggregate import Snapshot
from services.conversation.loading import Loader
from services.conversation.sealing.store import SealedStore
from services.conversation.tasks import Kind


class Projection:
    """Writes the rows of every kind. Whoever decided on a commit leaves the state here."""

    def __init__(self, store: SealedStore) -> None:
        self._store = store
        self._kinds: list[tuple[Kind[Any, Any], Loader[Any]]] = []
        # By the commit's identity: another decision may want the same version of the same stream.
        self._decided: dict[int, Snapshot[Any]] = {}

    def add(self, kind: Kind[Any, Any], loader: Loader[Any]) -> None:
        self._kinds.append((kind, loader))

    def decided(self, commit: Commit, snapshot: Snapshot[Any]) -> None:
        """The state after ``commit``; ``settled`` has to be called in the end."""
        self._decided[id(commit)] = snapshot

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
        snapshots = {s: self._decided.get(id(commit)) for s, commit in newest.items()}
        # What a sweeper took up was decided by somebody else: its state is loaded.
        unknown = [stream for stream, snapshot in snapshots.items() if snapshot is None]
        loaded = await loader.carefully(unknown) if unknown else {}
        states = {
            stream: snapshot or loaded[stream].snapshot for stream, snapshot in snapshots.items()
        }
        await kind.write(
            {s: state for s, state in states.items() if state}, [opened for _, opened in commits]
        )
