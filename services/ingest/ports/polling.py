"""A channel's way in where its platform calls nobody: it is asked, source by source."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from libs.events.credentials import Credentials
from services.ingest.ports.webhooks import Inbound
from services.ingest.sources import OpenSource


@dataclass(frozen=True, slots=True)
class Polled:
    """What was there. ``position`` says where the next look begins, in the channel's own way; what
    comes before it does not come again. ``unreadable`` as of ``Understood``."""

    position: str
    events: Sequence[Inbound] = ()
    unreadable: Sequence[tuple[bytes, str]] = ()


class Poll[C: Credentials](Protocol):
    """``pause`` lies between two looks at one source."""

    pause: ClassVar[timedelta]

    async def look(
        self, source: OpenSource[C], position: str | None, received_at: datetime
    ) -> Polled:
        """What has come behind ``position``; None: nothing was ever looked at. What was given and
        could not be kept is looked at again. Errors: those of ``ports.platform``."""
