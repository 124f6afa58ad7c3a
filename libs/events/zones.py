"""Time zones: the names that mean the same on every machine."""

import zoneinfo
from typing import Final

from libs.events.words import NotValid

# `localtime` is whatever the machine is set to, `Factory` says that nobody has set it; the others
# are whole trees of one database in other forms.
_NO_PLACES: Final = frozenset({"localtime", "Factory", "posixrules"})
ZONES: Final = frozenset(
    name
    for name in zoneinfo.available_timezones()
    if name not in _NO_PLACES and not name.startswith(("posix/", "right/"))
)
_UTC: Final = zoneinfo.ZoneInfo("UTC")


def zone_of(name: str | None) -> zoneinfo.ZoneInfo:
    """UTC for what is no zone here: it may have been one where it was said."""
    return zoneinfo.ZoneInfo(name) if name in ZONES else _UTC


def checked_zone(name: str) -> str:
    """Errors: NotValid."""
    if name not in ZONES:
        raise NotValid("not-a-time-zone")
    return name
