"""Devices on which accounts were opened: a sealed cookie tells one again.

Whoever sprays an account with guesses shuts it for strangers. Its owner is none where they bring
the cookie of a sign-in that succeeded: their failures are counted by that device, and no others'
are (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). The cookie opens nothing: the
password is asked for all the same.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from libs.events.ids import random_id
from libs.runtime.sealing import CannotOpen, Sealer

COOKIE: Final = "parley_device"
LIFETIME: Final = timedelta(days=366)
# The newest of those who share a browser; more would make the cookie as large as a head may be.
ACCOUNTS_AT_MOST: Final = 10
_LONGEST: Final = 4_096
_OWNER: Final = "device cookie"
_FOR_URLS: Final = str.maketrans("+/", "-_")
_AS_SEALED: Final = str.maketrans("-_", "+/")


class _Opened(msgspec.Struct, frozen=True, array_like=True):
    """``at``: when, in seconds since 1970."""

    account_id: str
    device_id: str
    at: int


_decoder: Final = msgspec.json.Decoder(tuple[_Opened, ...])


class Devices:
    """``key``: the gateway's, the same on all replicas. ``is_https``: so browsers reach it."""

    def __init__(self, key: bytes, *, is_https: bool) -> None:
        self._sealer = Sealer(key, "device cookies")
        self.is_https = is_https

    def of(self, cookie: str, accounts: Collection[str]) -> str | None:
        """The device's id where one of the accounts was opened on it; None with any other text."""
        return next(
            (one.device_id for one in self._read(cookie) if one.account_id in accounts), None
        )

    def opened(self, cookie: str, account_id: str) -> str:
        """The cookie's new value: the account was opened on it just now."""
        others = [one for one in self._read(cookie) if one.account_id != account_id]
        now = int(datetime.now(UTC).timestamp())
        newest = [_Opened(account_id, random_id("dev"), now), *others][:ACCOUNTS_AT_MOST]
        sealed = self._sealer.seal(msgspec.json.encode(newest), _OWNER)
        return sealed.rstrip("=").translate(_FOR_URLS)

    def _read(self, cookie: str) -> list[_Opened]:
        if not cookie or len(cookie) > _LONGEST:
            return []
        sealed = cookie.translate(_AS_SEALED) + "=" * (-len(cookie) % 4)
        try:
            kept = _decoder.decode(self._sealer.open(sealed, _OWNER))
        except (CannotOpen, msgspec.DecodeError):
            return []
        oldest = (datetime.now(UTC) - LIFETIME).timestamp()
        return [one for one in kept if one.at > oldest]
