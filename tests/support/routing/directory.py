"""A directory as its events make it."""

from collections.abc import Mapping, Sequence

from libs.events.content import Channel
from services.routing.domain.events import DirectoryEvent
from services.routing.domain.sources import Connection, SourceRules
from services.routing.domain.workspace import Workspace


def given(*happened: DirectoryEvent) -> Workspace:
    """The directory of wsp_1 after these events."""
    return after(Workspace("wsp_1"), happened)


def after(there: Workspace, happened: Sequence[DirectoryEvent]) -> Workspace:
    """The directory once the events have happened to it too."""
    for event in happened:
        there = event.apply(there)
    return there


def _seal(
    _workspace_id: str, _channel: Channel, credentials: Mapping[str, str], account: str | None
) -> Connection:
    return Connection("src_1", account or "42", f"sealed {sorted(credentials)}")


SOURCES = SourceRules(_seal)
