"""Requests of strangers: how many an address may have refused, by all replicas together.

A stranger brings nothing that proves who they are: a random token, a webhook of a source that is
not there. What is refused is counted by the address it came from, in MongoDB; past the limit the
refusal is 429 until the window is over. What each process knows already it does not ask again: past
the limit a refusal costs no query.
"""

from collections import Counter
from typing import Final

from pymongo.errors import PyMongoError

from libs.runtime.attempts import Attempts, Exhausted
from libs.runtime.metrics import STRANGERS_LIMITED
from libs.runtime.problems import TooMany
from libs.runtime.texts import COMMON

# Within a window. A company's whole office may be one address.
REFUSED_OF_ADDRESS: Final = 100
# More addresses than this within a window are an attack of another kind: they begin anew.
_ADDRESSES_AT_MOST: Final = 50_000


class Strangers:
    """``allowed``: so many refusals an address, within a window of ``libs.runtime.attempts``."""

    def __init__(self, attempts: Attempts, allowed: int = REFUSED_OF_ADDRESS) -> None:
        self._attempts = attempts
        self._allowed = allowed
        self._window = -1
        self._counts: Counter[str] = Counter()

    def check(self, address: str) -> None:
        """Errors: TooMany, where as many were refused here as may be."""
        window = self._attempts.window()
        if window.number != self._window or len(self._counts) > _ADDRESSES_AT_MOST:
            self._window = window.number
            self._counts.clear()
        if self._counts[address] >= self._allowed:
            raise _limited(window.left_seconds)

    async def refuse(self, address: str) -> None:
        """One more is refused. Errors: TooMany, where that is one too many.

        While MongoDB is away each process counts for itself.
        """
        self.check(address)
        self._counts[address] += 1
        try:
            await self._attempts.begin({f"stranger {address}": self._allowed})
        except Exhausted as error:
            self._counts[address] = self._allowed
            raise _limited(error.retry_after_seconds) from error
        except PyMongoError:
            return


def _limited(seconds: int) -> TooMany:
    STRANGERS_LIMITED.inc()
    return TooMany(COMMON.say("too-many.strangers"), retry_after=seconds)
