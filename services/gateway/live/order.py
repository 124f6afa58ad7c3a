"""Which event of a stream was seen last: a repeat is not shown again, a gap is noticed."""

from enum import Enum
from typing import Final

from cachetools import LRUCache

REMEMBERED: Final = 50_000


class Seen(Enum):
    NEXT = "next"
    REPEAT = "repeat"
    GAP = "gap"


class LastSequences:
    """The last sequence of each stream; the stream that was quiet for the longest is forgotten."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._last: LRUCache[str, int] = LRUCache(remembered)

    def see(self, stream: str, sequence: int) -> Seen:
        """A stream met for the first time is taken as it comes: reading begins somewhere."""
        last = self._last.get(stream)
        if last is not None and sequence <= last:
            return Seen.REPEAT
        self._last[stream] = sequence
        return Seen.GAP if last is not None and sequence > last + 1 else Seen.NEXT
