"""How a source's credentials become a connection, sealed: nobody but ingest opens them."""

from collections.abc import Mapping
from typing import Final

from libs.events.channels import channel_type
from libs.events.content import Channel
from libs.events.credentials import WrongCredential, sealable
from libs.events.ids import IdKey, random_id
from libs.runtime.sealing import Sealer
from services.routing.domain.errors import InvalidValue
from services.routing.domain.sources import Connection

PURPOSE: Final = "credentials"


class Credentials:
    """Reads, checks and seals. ``sealer`` is the one for the purpose ``credentials``."""

    def __init__(self, ids: IdKey, sealer: Sealer) -> None:
        self._ids = ids
        self._sealer = sealer

    def connection(
        self,
        workspace_id: str,
        channel: Channel,
        given: Mapping[str, str],
        account: str | None,
    ) -> Connection:
        """``account``: the one that it has to be, where a source is there. Errors: InvalidValue."""
        kind = channel_type(channel).credentials
        try:
            credentials = kind.given(given)
        except WrongCredential as wrong:
            raise InvalidValue(
                f"credentials.{wrong.field}", wrong.key, **wrong.variables
            ) from wrong
        if account is not None and credentials.account not in (None, account):
            field, key = kind.another_account
            raise InvalidValue(f"credentials.{field}", key)
        account = credentials.account or account or random_id(kind.account_prefix)
        source_id = self._ids.source(workspace_id, channel, account)
        sealed = self._sealer.seal(
            sealable(credentials.completed(source_id, self._ids)), owner=source_id
        )
        return Connection(source_id, account, sealed)
