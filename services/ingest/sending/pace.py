"""Rates kept on our side, so that the platform seldom has to refuse.

Kept by each replica for itself: a conversation's sends, and mostly a chat's, stay on one replica.
"""

import asyncio
import time
from collections.abc import Callable
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


class _Line:
    """Those who wait for the tokens of one bucket: first come, first served, one at a time."""

    __slots__ = ("bucket", "turn", "users")

    def __init__(self, rate: Rate, now: float) -> None:
        self.bucket = Bucket(rate, now)
        self.turn = asyncio.Lock()  # wakes its waiters in the order in which they came
        self.users = 0

    async def __aenter__(self) -> None:
        self.users += 1
        try:
            await self.turn.acquire()
        except BaseException:
            self.users -= 1
            raise

    async def __aexit__(self, *_exc: object) -> None:
        self.turn.release()
        self.users -= 1

    def is_idle(self, now: float) -> bool:
        return not self.users and self.bucket.is_full(now)


class Pace:
    """Slots by account and by chat of that account.

    Whoever waits stands in the line of the chat, its first in the line of the account: for each
    line one sleeps, and a slot wakes nobody who cannot have it.
    """

    def __init__(self, account: Rate) -> None:
        self._rate = account
        self._lines: dict[tuple[str, ...], _Line] = {}
        self._blocked_until: dict[str, float] = {}

    async def slot(self, account: str, chat: str, chat_rate: Rate) -> None:
        """Return when one call to the chat is allowed; it is counted at once."""
        of_chat = self._line((account, chat), chat_rate)
        async with of_chat:
            await _until(of_chat.bucket.wait_seconds)
            of_account = self._line((account,), self._rate)
            async with of_account:

                def wait_seconds(now: float) -> float:
                    blocked = self._blocked_until.get(account, 0.0) - now
                    return max(blocked, of_account.bucket.wait_seconds(now))

                now = await _until(wait_seconds)
                of_account.bucket.take(now)
                of_chat.bucket.take(now)

    def block(self, account: str, seconds: float) -> None:
        """No slot of the account for so long."""
        until = time.monotonic() + seconds
        self._blocked_until[account] = max(until, self._blocked_until.get(account, 0.0))

    def _line(self, key: tuple[str, ...], rate: Rate) -> _Line:
        line = self._lines.get(key)
        if line is None:
            now = time.monotonic()
            if len(self._lines) > _FORGET_ABOVE:
                self._lines = {k: one for k, one in self._lines.items() if not one.is_idle(now)}
            line = self._lines[key] = _Line(rate, now)
        return line


async def _until(wait_seconds: Callable[[float], float]) -> float:
    """Sleep until it is nothing any more: it may have grown meanwhile. The instant it is."""
    while (wait := wait_seconds(now := time.monotonic())) > 0:  # noqa: ASYNC110  # it is a clock
        await asyncio.sleep(wait)
    return now
