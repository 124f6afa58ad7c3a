"""From the changes of a directory to the states that ``parley.directory`` carries."""

from collections.abc import Sequence
from typing import Final

from libs.aggregates.aggregate import Change
from libs.events.envelope import Envelope
from libs.eventstore.commits import PublicMessage
from libs.runtime.outbox import public_message
from services.routing.domain.directory import DirectoryAggregate
from services.routing.domain.events import DirectoryEvent
from services.routing.domain.workspace import Entry, Workspace

SOURCE: Final = "/parley/routing"


def published_entries(
    changes: Sequence[Change[Workspace, DirectoryEvent]],
) -> list[tuple[Entry, int]]:
    """The entry that each change left, with its sequence."""
    entries = [change.event.entry(change.before or Workspace()) for change in changes]
    return [
        (entry, change.after.sequences[entry.key])
        for entry, change in zip(entries, changes, strict=True)
    ]


def public_messages(directory: DirectoryAggregate) -> tuple[PublicMessage, ...]:
    """One a change: the entry's full state, or a tombstone."""
    numbered = zip(published_entries(directory.changes), directory.changes, strict=True)
    return tuple(
        public_message(
            Envelope(
                id=f"{directory.id}-{change.version}",
                source=SOURCE,
                subject=entry.key,
                key=entry.key,
                workspace_id=directory.id,
                sequence=sequence,
                time=directory.now,
                body=entry.state,
            ),
            tombstone=entry.gone,
        )
        for (entry, sequence), change in numbered
    )
