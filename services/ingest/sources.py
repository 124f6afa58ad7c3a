"""The connected sources with their credentials opened, once for each state of a source."""

from dataclasses import dataclass
from typing import Final

import msgspec

from libs.events.content import Channel
from libs.events.directory import SourceState
from libs.runtime.directory import Directory
from libs.runtime.problems import NotFound, Unavailable
from libs.runtime.sealing import CannotOpen, Sealer
from services.ingest.localization import TEXTS

SEAL_PURPOSE: Final = "credentials"


class Credentials(msgspec.Struct, frozen=True):
    """What a source's platform needs of us; which of them depends on the channel."""

    bot_token: str = ""
    secret_token: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A connected source, ready to be used. ``former_secret``: which it had before, as far as this
    process knows."""

    workspace_id: str
    state: SourceState
    credentials: Credentials
    former_secret: str = ""

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
        self._opened: dict[str, OpenSource] = {}
        self._decoder = msgspec.json.Decoder(Credentials)

    @property
    def is_complete(self) -> bool:
        """False while this replica may not know a source that others know."""
        return self._directory.table.is_caught_up

    def get(self, source_id: str, channel: Channel) -> OpenSource:
        """Errors: Unavailable (this replica does not know everything yet, or the credentials do
        not open), NotFound (no such source of this channel is connected).
        """
        if not self.is_complete:
            raise Unavailable(TEXTS.say("unavailable.not-read"))
        found = self._directory.source(source_id)
        if found is None or found[1].channel is not channel or not found[1].connected:
            self._opened.pop(source_id, None)
            raise NotFound(TEXTS.say("not-found.source"))
        workspace_id, state = found
        opened = self._opened.get(source_id)
        if opened is None or opened.state is not state:
            credentials = self._open(state)
            former = opened.credentials.secret_token if opened else ""
            if opened and former == credentials.secret_token:
                former = opened.former_secret
            opened = OpenSource(workspace_id, state, credentials, former)
            self._opened[source_id] = opened
        return opened

    def opened(self, source_id: str, sealed: str) -> Credentials:
        """Whether or not the source is connected. Errors: CannotOpen."""
        try:
            return self._decoder.decode(self._sealer.open(sealed, source_id))
        except msgspec.DecodeError as error:
            raise CannotOpen(f"what is sealed for {source_id} is not credentials") from error

    def _open(self, state: SourceState) -> Credentials:
        if state.sealed_credentials is None:
            return Credentials()
        try:
            return self.opened(state.source_id, state.sealed_credentials)
        except CannotOpen as error:
            raise Unavailable(TEXTS.say("unavailable.credentials")) from error
