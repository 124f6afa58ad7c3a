"""Beside the live clients: pings, the end of those whose session is over, and of all at a stop."""

import asyncio
from typing import Final

import structlog
from pymongo.errors import PyMongoError

from libs.runtime.stopping import stopped_within
from services.gateway.access import Access
from services.gateway.accounts.sessions import Sessions
from services.gateway.live.hub import Hub

log = structlog.get_logger()

# The longest that a client is shown events after its session expired, or ended on another replica.
CHECK_SECONDS: Final = 3.0
PING_EVERY_CHECKS: Final = 7


class Watch:
    def __init__(self, hub: Hub, sessions: Sessions, access: Access) -> None:
        self._hub = hub
        self._sessions = sessions
        self._access = access

    async def run(self, stop: asyncio.Event) -> None:
        checks = 0
        while not await stopped_within(stop, CHECK_SECONDS):
            checks += 1
            if checks % PING_EVERY_CHECKS == 0:
                self._hub.ping()
            principals = self._hub.principals
            if not principals:
                continue
            try:
                valid = await self._sessions.still_valid(principals)
            except PyMongoError as error:
                # They stay open, as others stay signed in, until the server answers again.
                log.warning("sessions not checked", error=type(error).__name__)
                continue
            checked = {principal.key for principal in principals}
            self._hub.end(checked - valid)
            self._hub.end_unless(lambda one: self._access.seen_as(one) is not None)
        self._hub.leave_all()
