"""The rules for sources: one account of a channel, connected to a location."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from libs.events.channels import capabilities_of
from libs.events.content import Channel
from services.routing.domain.errors import Clash, InvalidValue
from services.routing.domain.events import (
    DirectoryEvent,
    SourceChanged,
    SourceConnected,
    SourceDisconnected,
)
from services.routing.domain.values import known, name_of, origins_of
from services.routing.domain.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Connection:
    """An account with what opens it. ``sealed`` opens only for ``source_id``."""

    source_id: str
    account: str
    sealed: str


# Of a workspace's id, a channel, the credentials in clear, and the account that they must belong
# to where the source is there already. Errors: InvalidValue.
Connect = Callable[[str, Channel, Mapping[str, str], str | None], Connection]


class SourceRules:
    """Asked with the credentials in clear; the facts have them as ``connection`` sealed them."""

    def __init__(self, connection: Connect) -> None:
        self._connection = connection

    def connect(
        self,
        there: Workspace,
        _source_id: str,
        *,
        channel: Channel,
        name: str,
        location_id: str,
        credentials: Mapping[str, str],
        allowed_origins: tuple[str, ...],
    ) -> list[DirectoryEvent]:
        """Under the id of its account: the same one whenever it was connected before.

        Errors: InvalidValue, Clash.
        """
        connection = self._connection(there.workspace_id, channel, credentials, None)
        now = there.sources.get(connection.source_id)
        if now is not None and now.connected:
            raise Clash("source-connected")
        return [
            SourceConnected(
                source_id=connection.source_id,
                channel=channel,
                account=connection.account,
                name=name_of("name", name),
                location_id=known("location_id", (location_id,), there.locations)[0],
                sealed_credentials=connection.sealed,
                allowed_origins=_origins(channel, allowed_origins),
            )
        ]

    def change(
        self,
        there: Workspace,
        source_id: str,
        *,
        name: str | None = None,
        location_id: str | None = None,
        credentials: Mapping[str, str] | None = None,
        allowed_origins: tuple[str, ...] | None = None,
        connected: bool | None = None,
    ) -> list[DirectoryEvent]:
        """``connected`` true: the same account again. Errors: NotThere, InvalidValue, Clash."""
        now = there.source(source_id)
        name = now.name if name is None else name_of("name", name)
        location_id = now.location_id if location_id is None else location_id
        origins = now.allowed_origins if allowed_origins is None else allowed_origins
        sealed = now.sealed_credentials
        if credentials is not None or (connected and sealed is None):
            sealed = self._connection(
                there.workspace_id, now.channel, credentials or {}, now.account
            ).sealed
        if sealed is None or not (now.connected or connected):
            raise Clash("source-disconnected")
        changed = SourceChanged(
            source_id=source_id,
            name=name,
            location_id=known("location_id", (location_id,), there.locations)[0],
            sealed_credentials=sealed,
            allowed_origins=_origins(now.channel, origins),
        )
        if not now.connected:
            return [
                SourceConnected(
                    source_id=source_id,
                    channel=now.channel,
                    account=now.account,
                    name=changed.name,
                    location_id=changed.location_id,
                    sealed_credentials=sealed,
                    allowed_origins=changed.allowed_origins,
                )
            ]
        if (changed.name, changed.location_id, sealed, changed.allowed_origins) == (
            now.name,
            now.location_id,
            now.sealed_credentials,
            now.allowed_origins,
        ):
            return []
        return [changed]

    def disconnect(self, there: Workspace, source_id: str) -> list[DirectoryEvent]:
        """Errors: NotThere."""
        connected = there.source(source_id).connected
        return [SourceDisconnected(source_id=source_id)] if connected else []


def _origins(channel: Channel, origins: tuple[str, ...]) -> tuple[str, ...]:
    if capabilities_of(channel).on_pages:
        return origins_of("allowed_origins", origins)
    if origins:
        raise InvalidValue("allowed_origins", "has-no-pages")
    return ()
