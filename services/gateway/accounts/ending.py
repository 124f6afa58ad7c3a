"""Counts the API tokens about to end, so that an operator hears of it before their programs do."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from pymongo.errors import PyMongoError

from libs.runtime.stopping import stopped_within
from services.gateway.accounts.sessions import Sessions
from services.gateway.metrics import API_TOKENS_ENDING

log = structlog.get_logger()

ENDING_WITHIN: Final = timedelta(days=7)
COUNTED_EVERY_SECONDS: Final = 300.0


class TokensEnding:
    """``run`` goes to the runtime's tasks."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            try:
                await self.count()
            except PyMongoError as error:
                log.warning("API tokens about to end not counted", error=type(error).__name__)
            await stopped_within(stop, COUNTED_EVERY_SECONDS)

    async def count(self) -> None:
        """Errors: PyMongoError."""
        API_TOKENS_ENDING.set(await self._sessions.api_tokens_ending(ENDING_WITHIN))
