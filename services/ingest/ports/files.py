"""Files and photos that a platform keeps. Channels without them have none."""

from dataclasses import dataclass
from typing import Protocol

from libs.events.content import Attachment
from libs.events.credentials import Credentials


class FileSource[C: Credentials](Protocol):
    """Where a channel's incoming files are."""

    async def fetch(self, credentials: C, attachment: Attachment, limit_bytes: int) -> bytes:
        """Errors: those of ``ports.platform``."""


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """``version`` changes with the photo; ``reference`` fetches it."""

    version: str
    reference: str


class PhotoSource[C: Credentials](Protocol):
    """What customers look like, as the channel shows them. Errors: those of ``ports.platform``
    that pass."""

    async def find(self, credentials: C, thread: str) -> FoundPhoto | None:
        """None: there is none, or the account may not see it."""

    async def fetch(self, credentials: C, photo: FoundPhoto) -> bytes | None:
        """None: it was changed or taken away just now."""
