"""What a source's credentials must be, and how they are sealed: nobody but ingest opens them."""

from collections.abc import Mapping
from typing import Final

import msgspec

from libs.events.content import Channel
from libs.events.ids import IdKey, random_id
from libs.runtime.sealing import Sealer
from services.routing.domain.errors import Refused
from services.routing.domain.sources import Connection
from services.routing.domain.values import bot_id_of, secret_of

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
        """``account``: the one that it has to be, where a source is there. Errors: Refused."""
        match channel:
            case Channel.TELEGRAM:
                token = _only(given, "bot_token")
                if token is None:
                    raise Refused("credentials.bot_token", "missing-field")
                bot_id = bot_id_of("credentials.bot_token", token)
                if account not in (None, bot_id):
                    raise Refused("credentials.bot_token", "another-bot")
                account = bot_id
                secret = {"bot_token": token}
            case Channel.WIDGET:
                identity = _only(given, "identity_secret")
                account = account or random_id("wgt")
                secret = {}
                if identity is not None:
                    secret["identity_secret"] = secret_of("credentials.identity_secret", identity)
        source_id = self._ids.source(workspace_id, channel, account)
        if channel is Channel.TELEGRAM:
            # Of the token, so that only another token makes another secret: what Telegram was told
            # stays true, whatever else is changed.
            secret["secret_token"] = self._ids.derive("tgs", source_id, secret["bot_token"])
        sealed = self._sealer.seal(msgspec.json.encode(secret), owner=source_id)
        return Connection(source_id, account, sealed)


def _only(given: Mapping[str, str], field: str) -> str | None:
    unknown = sorted(set(given) - {field})
    if unknown:
        raise Refused(f"credentials.{unknown[0][:80]}", "unknown-field")
    return given.get(field)
