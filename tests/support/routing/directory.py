"""A directory as its events make it."""

from collections.abc import Mapping

from libs.events.content import Channel
from services.routing.domain.facts import (
    Fact,
)
from services.routing.domain.sources import Connection, SourceRules
from services.routing.domain.workspace import Workspace


def given(*happened: Fact) -> Workspace:
    workspace = Workspace("wsp_1")
    workspace.evolve_all(happened)
    return workspace


def _seal(
    _workspace_id: str, _channel: Channel, credentials: Mapping[str, str], account: str | None
) -> Connection:
    return Connection("src_1", account or "42", f"sealed {sorted(credentials)}")


SOURCES = SourceRules(_seal)
