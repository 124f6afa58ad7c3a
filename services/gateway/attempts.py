"""How often somebody may try to sign in: failed attempts by account and address, in memory."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 300.0
ALLOWED_IN_WINDOW: Final = 10
REMEMBERED: Final = 20_000


class Attempts:
    """Counts the attempts of a key within the last five minutes; each replica counts its own.

    An attempt counts when it begins, so that many at once do not slip through; ``succeeded``
    forgets them. The oldest keys are forgotten first when there are too many.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()

    def begin(self, *key: str) -> bool:
        """False when the key has used up what it may."""
        now = self._clock()
        begun = self._begun.setdefault(key, deque())
        self._begun.move_to_end(key)
        if len(self._begun) > REMEMBERED:
            self._begun.popitem(last=False)
        while begun and begun[0] <= now - WINDOW_SECONDS:
            begun.popleft()
        if len(begun) >= ALLOWED_IN_WINDOW:
            return False
        begun.append(now)
        return True

    def succeeded(self, *key: str) -> None:
        self._begun.pop(key, None)
