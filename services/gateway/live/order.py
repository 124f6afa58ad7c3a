"""Which event of a stream was seen last: a repeat is not shown again, a gap is noticed."""

from collections import OrderedDict
from enum import Enum
from typing import Final

REMEMBERED: Final = 50_000


class Seen(Enum):
    NEXT = "next"
    REPEAT = "repeat"
    GAP = "gap"


class LastSequences:
    """The last sequence of each stream; the stream that was quiet for the longest is forgotten."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._last: OrderedDict[str, int] = OrderedDict()

    def see(self, stream: str, sequence: int) -> Seen:
        """A stream met for the first time is taken as it comes: reading begins somewhere."""
        last = self._last.get(stream)
        if last is not None and sequence <= last:
            return Seen.REPEAT
        self._last[stream] = sequence
        self._last.move_to_end(stream)
        if len(self._last) > self._remembered:
            self._last.popitem(last=False)
        return Seen.GAP if last is not None and sequence > last + 1 else Seen.NEXT
