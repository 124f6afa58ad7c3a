"""Every change of a directory: decide, save, publish, and the answer once Kafka has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from libs.aggregates.application import ApplicationCommandHandler, EventSourcedApplication
from libs.aggregates.events import EventTypes
from libs.events.directory import DirectoryState
from libs.events.registry import decode
from libs.eventstore.commits import Commit
from libs.eventstore.outbox import Outbox
from libs.eventstore.store import AsyncEventStore
from services.routing.domain.directory import DirectoryAggregate, Rule
from services.routing.domain.errors import NotThere
from services.routing.domain.events import EVENTS, DirectoryEvent
from services.routing.domain.workspace import Workspace
from services.routing.publishing.directory_topic import DirectoryTopic
from services.routing.publishing.entry_states import public_messages, published_entries

COMMITS: Final = "routing_commits"
SNAPSHOTS: Final = "routing_snapshots"


class DirectoryApplication(EventSourcedApplication[DirectoryAggregate]):
    """Saves and loads directories through the event-sourcing library. Its calls block."""

    event_types: ClassVar[EventTypes[DirectoryEvent]] = EVENTS
    state_class = Workspace

    def __init__(self, mongodb_url: str, database: str) -> None:
        where = {
            "MONGODB_URL": mongodb_url,
            "MONGODB_NAME": database,
            "COMMITS_COLLECTION": COMMITS,
            "SNAPSHOTS_COLLECTION": SNAPSHOTS,
        }
        super().__init__(DirectoryAggregate, where)


@dataclass(frozen=True, slots=True)
class ChangedDirectory:
    """The directory after a change, the states that the change published, and the offset at which
    a reader of ``parley.directory`` sees them."""

    workspace: Workspace
    states: tuple[DirectoryState, ...]
    offset: int


class DirectoryCommandHandler:
    """Changes workspaces' directories. One writer wins a version; the others decide again."""

    def __init__(
        self,
        application: DirectoryApplication,
        store: AsyncEventStore,
        outbox: Outbox,
        topic: DirectoryTopic,
    ) -> None:
        self._handler = ApplicationCommandHandler(application, store, outbox, public_messages)
        self._topic = topic

    def unreadable(self) -> dict[str, str]:
        """The workspaces whose directory this version cannot read, each with why."""
        return self._handler.unreadable

    async def load(self, workspace_id: str) -> Workspace:
        """The directory as it is stored, an empty one where there is none.

        Errors: StreamSetAside where it cannot be read; the driver's.
        """
        return (await self._handler.load(workspace_id)).entries

    async def change(
        self, workspace_id: str, cause: str, rule: Rule, *, opening: bool = False
    ) -> ChangedDirectory:
        """Let happen what the rule makes of the present directory, once for each ``cause``.

        It returns when the new states are acknowledged by Kafka. ``opening``: the workspace need
        not be there. Errors: the rules' (NotThere, InvalidValue, Clash), StillInConflict,
        PublishFailed (then the change is stored and is published later), StreamSetAside, the
        driver's.
        """

        def decide(directory: DirectoryAggregate) -> None:
            if directory.state is None and not opening:
                raise NotThere(workspace_id)
            directory.decide(rule)

        handled = await self._handler.handle(workspace_id, cause, decide)
        workspace = handled.aggregate.entries
        if handled.before is not None:
            return await self._again(workspace, handled.before)
        if not handled.changes:
            return ChangedDirectory(workspace, (), self._topic.offset_of_the_present())
        entries = published_entries(handled.changes)
        if handled.published:
            offset = self._topic.last_offset
        else:
            newest = {entry.key: sequence for entry, sequence in entries}
            offset = await self._topic.offset_after(newest)
        return ChangedDirectory(workspace, tuple(entry.state for entry, _ in entries), offset)

    async def _again(self, workspace: Workspace, commit: Commit) -> ChangedDirectory:
        """The answer to a change that was made before, or that is being published right now."""
        return ChangedDirectory(
            workspace,
            _states_of(commit),
            await self._topic.offset_after({m.key: m.sequence for m in commit.public}),
        )


def _states_of(commit: Commit) -> tuple[DirectoryState, ...]:
    states: Sequence[object] = [decode(m.type, m.data) for m in commit.public if m.data]
    return tuple(state for state in states if isinstance(state, DirectoryState))
