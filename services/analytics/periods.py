"""Periods in a time zone's local days, and which period one is compared with.

A period of whole local days (from one local midnight to another) is compared with as many local
days just before it: Kyiv's 2025-03-30, which has 23 hours, with the 24 of 2025-03-29. One that only
begins at a local midnight, such as today until now, is compared with the same local times so many
days before. Any other is compared with as long a time just before. Of a period that is not over
only as much is compared as is over: until the same local time, or for as long.

A local day that a zone left out (Apia's 2011-12-30) is none: it is neither counted nor compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` (inclusive) to ``end`` (exclusive), both in UTC."""

    start: datetime
    end: datetime

    def before(self, zone: ZoneInfo, now: datetime) -> "Period":
        """The one that it is compared with."""
        over = min(max(now, self.start), self.end)
        if self.start != midnight(_local_date(self.start, zone), zone):
            start = self.start - (self.end - self.start)
            return Period(start, start + (over - self.start))
        days = _days_back(_local_date(self.start, zone), zone)
        ends_at_midnight = self.end == midnight(_local_date(self.end, zone), zone)
        last = _local_date(self.end, zone) - (_DAY if ends_at_midnight else timedelta(0))
        count = sum(_is_there(day, zone) for day in _days(_local_date(self.start, zone), last))
        start_day = next(day for at, day in enumerate(days, 1) if at == max(count, 1))
        start = midnight(start_day, zone)
        if over == self.end and ends_at_midnight:
            return Period(start, self.start)
        # So many days on from its beginning as in the period, at the same local time.
        whole = sum(
            _is_there(day, zone)
            for day in _days(_local_date(self.start, zone), _local_date(over, zone) - _DAY)
        )
        on = (
            day for day in _days(start_day, _local_date(self.start, zone)) if _is_there(day, zone)
        )
        day = next(day for at, day in enumerate(on) if at == whole)
        wall = over.astimezone(zone)
        end = datetime.combine(day, wall.timetz()).astimezone(UTC)
        return Period(start, min(max(end, start), self.start))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the local day begins, in UTC: later than 0:00 where the clocks are put on then."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _local_date(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def _is_there(day: date, zone: ZoneInfo) -> bool:
    return midnight(day, zone) < midnight(day + _DAY, zone)


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += _DAY


def _days_back(day: date, zone: ZoneInfo) -> Iterator[date]:
    """Those before it, the latest first."""
    while True:
        day -= _DAY
        if _is_there(day, zone):
            yield day
