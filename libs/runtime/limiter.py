"""Rates for each of many: token buckets in memory, one a key (a visitor, an address, a token)."""

import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

_IPV6_NETWORK_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` at once, then ``per_second`` in the long run."""

    burst: int
    per_second: float


class Bucket:
    """What is left of a rate. Times are of any clock that never runs backwards, in seconds."""

    __slots__ = ("_left", "_rate", "_seen")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._left = float(rate.burst)
        self._seen = now

    def takes(self, now: float, count: int = 1) -> bool:
        """Take so many; False, and nothing is taken, where there are fewer."""
        left = self._left + (now - self._seen) * self._rate.per_second
        self._seen = now
        self._left = min(self._rate.burst, left)
        if self._left < count:
            return False
        self._left -= count
        return True

    def give_back(self) -> None:
        self._left = min(self._rate.burst, self._left + 1)

    @property
    def left(self) -> int:
        """Whole ones, as of the last time that something was taken."""
        return int(self._left)

    @property
    def wait_seconds(self) -> float:
        """How long until there is one again, from then on."""
        missing = 1 - self._left
        if missing <= 0:
            return 0.0
        return missing / self._rate.per_second if self._rate.per_second else float("inf")


class Limiter:
    """Lets each key through at a rate, in this process alone: every replica counts for itself.

    With more than ``max_keys`` at a time the one unseen for longest is forgotten (its bucket is
    full again).
    """

    def __init__(
        self, rate: Rate, max_keys: int = 50_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: LRUCache[str, Bucket] = LRUCache(max_keys)

    def allows(self, key: str) -> bool:
        """Takes one of the key's bucket; False where it is empty."""
        return self.bucket(key).takes(self._clock())

    def bucket(self, key: str) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._clock())
        return bucket


class Limiters:
    """One thing counted in several ways (by visitor, by address): all have to let it through."""

    def __init__(self, *rates: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._limiters = [Limiter(rate, clock=clock) for rate in rates]
        self._clock = clock

    def wait_seconds(self, *keys: str) -> float:
        """0 where all let it through, which is counted in all; else how long to wait, and it is
        counted in none. ``keys`` in the order of the rates."""
        now = self._clock()
        taken: list[Bucket] = []
        for limiter, key in zip(self._limiters, keys, strict=True):
            bucket = limiter.bucket(key)
            if not bucket.takes(now):
                for one in taken:
                    one.give_back()
                return bucket.wait_seconds
            taken.append(bucket)
        return 0.0


class Places:
    """So many at once for each key: open sockets, work that is being done."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, key: str) -> Iterator[bool]:
        """Whether there was a place; it is free again afterwards."""
        there_is = self._taken[key] < self._at_most
        self._taken[key] += there_is
        try:
            yield there_is
        finally:
            self._taken[key] -= there_is
            if not self._taken[key]:
                del self._taken[key]


def address_key(address: str) -> str:
    """One key for the whole /64 of an IPv6 address: a household has all of its addresses."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _IPV6_NETWORK_BITS), strict=False))
