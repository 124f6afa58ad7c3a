"""Every change of a directory: load, decide, commit, and the answer once Kafka has it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from libs.events.directory import DirectoryState
from libs.events.envelope import Envelope
from libs.events.registry import decode
from libs.eventstore.commits import GENESIS, Appended, Commit
from libs.eventstore.errors import CauseRepeated, StreamSetAside, VersionConflict
from libs.eventstore.outbox import Outbox
from libs.eventstore.store import AsyncEventStore
from libs.runtime.outbox import public_message
from services.routing.domain.errors import Again, NotThere
from services.routing.domain.facts import Fact, from_stored, to_stored
from services.routing.domain.workspace import Change, Workspace
from services.routing.publishing import DirectoryTopic

SOURCE: Final = "/parley/routing"
_TRIES: Final = 20

Decide = Callable[[Workspace], Sequence[Fact]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The directory after a change, the states that the change published, and how far a reader
    of ``parley.directory`` has to be to see them."""

    workspace: Workspace
    states: tuple[DirectoryState, ...]
    offset: int


class DirectoryService:
    """Changes workspaces' directories. One writer wins a version; the others decide again."""

    def __init__(self, store: AsyncEventStore, outbox: Outbox, topic: DirectoryTopic) -> None:
        self._store = store
        self._outbox = outbox
        self._topic = topic

    async def load(self, workspace_id: str) -> Workspace:
        """The directory as it is stored, an empty one where there is none."""
        loaded = await self._store.load({workspace_id: 0})
        return _replay(workspace_id, loaded[workspace_id])

    async def change(
        self, workspace_id: str, cause: str, decide: Decide, *, opening: bool = False
    ) -> Outcome:
        """Apply what ``decide`` makes of the present directory, once for each ``cause``.

        It returns when the new states are acknowledged by Kafka. ``opening``: the workspace need
        not be there. Errors: the rules' (NotThere, Refused, Clash), Again, PublishFailed (then the
        change is stored and is published later), StreamSetAside, the driver's.
        """
        for _ in range(_TRIES):
            commits = (await self._store.load({workspace_id: 0}))[workspace_id]
            workspace = _replay(workspace_id, commits)
            before = next((c for c in commits if cause in c.causes), None)
            if before is not None:
                if before.pending:
                    # It may have been left half-way; a repeat does not wait for the sweep.
                    await self._outbox.take_up([before])
                return await self._again(workspace, before)
            if why := next((one.aside for one in commits if one.aside), ""):
                raise StreamSetAside(workspace_id, why)
            if workspace.workspace is None and not opening:
                raise NotThere(workspace_id)
            happened = decide(workspace)
            if not happened:
                return Outcome(workspace, (), self._topic.offset_of_the_present())
            changes = workspace.evolve_all(happened)
            commit = _commit(workspace_id, commits, cause, happened, changes)
            [outcome] = await self._outbox.commit(
                [commit], pending_before=[c for c in commits if c.pending]
            )
            match outcome:
                case Appended():
                    states = tuple(change.state for change in changes)
                    return Outcome(workspace, states, self._topic.last_offset)
                case VersionConflict() | CauseRepeated():
                    continue
                case StreamSetAside():
                    raise outcome
        raise Again("the directory is changed by many at once")

    async def _again(self, workspace: Workspace, commit: Commit) -> Outcome:
        """The outcome of a change that was made before, or that is being published right now."""
        states = [decode(m.type, m.data) for m in commit.public if m.data]
        newest = {message.key: message.sequence for message in commit.public}
        offset = await self._topic.offset_after(newest)
        directory_states = tuple(s for s in states if isinstance(s, DirectoryState))
        return Outcome(workspace, directory_states, offset)


def _replay(workspace_id: str, commits: Sequence[Commit]) -> Workspace:
    """Errors: StreamSetAside, where it holds what cannot be read."""
    workspace = Workspace(workspace_id)
    try:
        for commit in commits:
            workspace.evolve_all(from_stored(event) for event in commit.events)
    except Exception as error:
        raise StreamSetAside(workspace_id, type(error).__name__) from error
    return workspace


def _commit(
    workspace_id: str,
    loaded: Sequence[Commit],
    cause: str,
    happened: Sequence[Fact],
    changes: Sequence[Change],
) -> Commit:
    now = datetime.now(UTC)
    version = loaded[-1].last if loaded else 0
    recorded_at = max(now, loaded[-1].recorded_at) if loaded else now
    return Commit(
        stream=workspace_id,
        first=version + 1,
        causes=(cause,),
        recorded_at=recorded_at,
        events=tuple(to_stored(fact) for fact in happened),
        public=tuple(
            public_message(
                Envelope(
                    id=f"{workspace_id}-{version + number}",
                    source=SOURCE,
                    subject=change.key,
                    key=change.key,
                    workspace_id=workspace_id,
                    sequence=change.sequence,
                    time=recorded_at,
                    body=change.state,
                ),
                tombstone=change.gone,
            )
            for number, change in enumerate(changes, 1)
        ),
        prev=loaded[-1].hash if loaded else GENESIS,
    )
