"""Instants: which of them all can hold that keep, compare or show them.

MongoDB keeps milliseconds since 1970 in 64 bits, of which its driver reads Python's years, 1 to
9999 (``bson.datetime_ms``); ClickHouse's ``DateTime64`` holds 1900 to 2299 and wraps in silence
outside of it; RFC 3339 has four digits for a year; a browser's ``Date`` holds 8.64e15 ms on both
sides of 1970 (ECMA-262, 21.4.1.1). What happens in an inbox lies well within all of them.
"""

from datetime import UTC, datetime
from typing import Final

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)  # not included


def utc_of(instant: datetime) -> datetime | None:
    """The same instant in UTC; None where not everything can hold it, or it has no UTC value."""
    try:
        utc = instant.astimezone(UTC)
    except OverflowError:  # such as 0001-01-01T00:00:00+23:59, which is in the year 0
        return None
    return utc if EARLIEST <= utc < LATEST else None
