"""The connected sources with their credentials opened, once for each state of a source."""

import time
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from libs.events.channels import channel_type
from libs.events.content import Channel
from libs.events.credentials import Credentials, opened
from libs.events.directory import SourceState
from libs.runtime.directory import Directory
from libs.runtime.problems import NotFound, Problem, Unavailable
from libs.runtime.sealing import CannotOpen, Sealer
from services.ingest.localization import TEXTS

SEAL_PURPOSE: Final = "credentials"


@dataclass(frozen=True, slots=True)
class OpenSource[C: Credentials]:
    """A connected source, ready to be used. ``former``: the credentials that it had before, as far
    as this process knows: until its platform was told of others it delivers with those.
    ``replaced_at``: since when they are former, by ``time.monotonic``."""

    workspace_id: str
    state: SourceState
    credentials: C
    former: C | None = None
    replaced_at: float = 0.0

    @property
    def id(self) -> str:
        return self.state.source_id


class SourceBook:
    """Sources by id, out of the directory in memory. Opening credentials costs a decryption, so
    what was opened is kept for as long as the directory holds the same state.
    """

    def __init__(self, directory: Directory, sealer: Sealer) -> None:
        self._directory = directory
        self._sealer = sealer
        self._opened: dict[str, OpenSource[Any]] = {}

    @property
    def is_complete(self) -> bool:
        """False while this replica may not know a source that others know."""
        return self._directory.table.is_caught_up

    def get(self, source_id: str, channel: Channel | None = None) -> OpenSource[Any]:
        """Errors: Unavailable (this replica does not know everything yet, or the credentials do
        not open), NotFound (no such source of this channel, or of any, is connected).
        """
        if not self.is_complete:
            raise Unavailable(TEXTS.say("unavailable.not-read"))
        found = self._directory.source(source_id)
        if (
            found is None
            or not found[1].connected
            or (channel is not None and found[1].channel is not channel)
        ):
            self._opened.pop(source_id, None)
            raise NotFound(TEXTS.say("not-found.source"))
        workspace_id, state = found
        source = self._opened.get(source_id)
        if source is None or source.state is not state:
            source = self._opened_anew(workspace_id, state, source)
            self._opened[source_id] = source
        return source

    def connected(self, channel: Channel) -> list[OpenSource[Any]]:
        """All of a channel's whose credentials open."""
        found = []
        for workspace in list(self._directory.workspaces.values()):
            for state in list(workspace.sources.values()):
                if state.channel is channel and state.connected:
                    try:
                        found.append(self.get(state.source_id, channel))
                    except Problem:
                        continue  # it changed just now, or its credentials do not open
        return found

    def opened(self, source_id: str, channel: Channel, sealed: str | None) -> Credentials:
        """Whether or not the source is connected. ``sealed`` None: nothing was given. Errors:
        CannotOpen."""
        content = b"{}" if sealed is None else self._sealer.open(sealed, source_id)
        try:
            return opened(channel_type(channel).credentials, content)
        except msgspec.DecodeError as error:
            raise CannotOpen(f"what is sealed for {source_id} is not credentials") from error

    def _opened_anew(
        self, workspace_id: str, state: SourceState, before: OpenSource[Any] | None
    ) -> OpenSource[Any]:
        credentials = self._open(state)
        if before is None:
            return OpenSource(workspace_id, state, credentials)
        if before.credentials == credentials:
            return replace(before, state=state)
        return OpenSource(workspace_id, state, credentials, before.credentials, time.monotonic())

    def _open(self, state: SourceState) -> Credentials:
        try:
            return self.opened(state.source_id, state.channel, state.sealed_credentials)
        except CannotOpen as error:
            raise Unavailable(TEXTS.say("unavailable.credentials")) from error
