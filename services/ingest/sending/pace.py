"""Rates kept on our side, so that the platform seldom has to refuse.

Kept by each replica for itself: a conversation's sends, and mostly a chat's, stay on one replica.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

_FORGET_ABOVE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    per_second: float
    burst: int


class Bucket:
    """Holds up to ``burst`` tokens, and gains ``per_second`` of them each second."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    def wait_seconds(self, now: float) -> float:
        """Until a token is there; 0 when one is."""
        self._fill(now)
        # Half a millionth of a token is not worth another turn of the loop.
        return max(0.0, (1 - self._tokens - 5e-7) / self._rate.per_second)

    def take(self, now: float) -> None:
        self._fill(now)
        self._tokens -= 1

    def is_full(self, now: float) -> bool:
        self._fill(now)
        return self._tokens >= self._rate.burst

    def _fill(self, now: float) -> None:
        gained = (now - self._at) * self._rate.per_second
        self._tokens = min(self._rate.burst, self._tokens + gained)
        self._at = now


class Pace:
    """Slots by account and by chat of that account."""

    def __init__(self, account: Rate) -> None:
        self._rate = account
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self._blocked_until: dict[str, float] = {}

    async def slot(self, account: str, chat: str, chat_rate: Rate) -> None:
        """Return when one call to the chat is allowed; it is counted at once."""
        while True:
            now = time.monotonic()
            of_account = self._bucket((account,), self._rate, now)
            of_chat = self._bucket((account, chat), chat_rate, now)
            wait = max(
                self._blocked_until.get(account, 0.0) - now,
                of_account.wait_seconds(now),
                of_chat.wait_seconds(now),
            )
            if wait <= 0:
                of_account.take(now)
                of_chat.take(now)
                return
            await asyncio.sleep(wait)

    def block(self, account: str, seconds: float) -> None:
        """No slot of the account for so long."""
        until = time.monotonic() + seconds
        self._blocked_until[account] = max(until, self._blocked_until.get(account, 0.0))

    def _bucket(self, key: tuple[str, ...], rate: Rate, now: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) > _FORGET_ABOVE:
                self._buckets = {k: b for k, b in self._buckets.items() if not b.is_full(now)}
            bucket = self._buckets[key] = Bucket(rate, now)
        return bucket
