"""Telling a platform where a source's webhook is. Channels without such an API have none."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.events.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Registered:
    """What the platform says of the account's webhook now; ``url`` is empty where there is none."""

    url: str = ""
    waiting_updates: int = 0
    last_error: str | None = None
    last_error_at: datetime | None = None


class Registration[C: Credentials](Protocol):
    """Errors of its calls: those of ``ports.platform``."""

    def told(self, credentials: C, url: str) -> tuple[str, ...]:
        """All that a platform is told: where it would be told otherwise, it is told again."""

    async def registered(self, credentials: C) -> Registered: ...

    async def register(self, credentials: C, url: str) -> None: ...

    async def unregister(self, credentials: C) -> None:
        """The platform sends nothing any more. Done twice is done once."""
