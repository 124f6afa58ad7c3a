"""A bounded number of token buckets in memory, one a key (a visitor, an address)."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_IPV6_NETWORK_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` at once, then ``per_second`` in the long run."""

    burst: int
    per_second: float


class Limiter:
    """Lets each key through at a rate, in this process alone.

    It protects from one eager client. It does not protect from many addresses at once, and every
    replica counts for itself; with more than ``max_keys`` at a time the one unseen for longest is
    forgotten (its bucket is full again). Floods are for what stands before the service.
    """

    def __init__(
        self, rate: Rate, max_keys: int = 50_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._max_keys = max_keys
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, key: str) -> bool:
        """Takes one token of the key's bucket; False where it is empty."""
        now = self._clock()
        left, seen = self._buckets.pop(key, (float(self._rate.burst), now))
        left = min(self._rate.burst, left + (now - seen) * self._rate.per_second)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return allowed


def address_key(address: str) -> str:
    """One key for the whole /64 of an IPv6 address: a household has all of its addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
