"""Which period one is compared with, in whose days."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.analytics.periods import Period

LATER = "2099-01-01T00:00:00+00:00"


def at(text: str, zone: ZoneInfo) -> datetime:
    """An instant with its offset, or a local time of the zone."""
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("name", "start", "end", "before_from", "before_to"),
    [
        # days of 23 and 25 hours, and those after them
        ("Europe/Kyiv", "2025-03-30", "2025-03-31", "2025-03-29", "2025-03-30"),
        ("Europe/Kyiv", "2025-03-31", "2025-04-01", "2025-03-30", "2025-03-31"),
        ("Europe/Kyiv", "2025-10-26", "2025-10-27", "2025-10-25", "2025-10-26"),
        ("Europe/Kyiv", "2025-10-27", "2025-10-28", "2025-10-26", "2025-10-27"),
        # weeks and months: as many local days
        ("Europe/Kyiv", "2025-03-24", "2025-03-31", "2025-03-17", "2025-03-24"),
        ("Europe/Kyiv", "2025-03-31", "2025-04-07", "2025-03-24", "2025-03-31"),
        ("Europe/Kyiv", "2025-03-01", "2025-04-01", "2025-01-29", "2025-03-01"),
        ("Europe/Kyiv", "2024-01-01", "2025-01-01", "2022-12-31", "2024-01-01"),
        # zones of half hours and of quarters, and one that moves by half an hour
        ("Asia/Kolkata", "2025-03-30", "2025-03-31", "2025-03-29", "2025-03-30"),
        ("Asia/Kathmandu", "2025-03-30", "2025-04-02", "2025-03-27", "2025-03-30"),
        ("Australia/Lord_Howe", "2025-04-06", "2025-04-07", "2025-04-05", "2025-04-06"),
        # the clocks are put on at midnight
        ("America/Sao_Paulo", "2018-11-04", "2018-11-05", "2018-11-03", "2018-11-04"),
        ("America/Sao_Paulo", "2018-11-05", "2018-11-06", "2018-11-04", "2018-11-05"),
        ("Africa/Cairo", "2025-04-25", "2025-04-26", "2025-04-24", "2025-04-25"),
        # and put back over midnight
        ("America/Sao_Paulo", "2018-02-18", "2018-02-19", "2018-02-17", "2018-02-18"),
        ("America/Havana", "2025-11-02", "2025-11-03", "2025-11-01", "2025-11-02"),
        # a date that was left out
        ("Pacific/Apia", "2011-12-31", "2012-01-01", "2011-12-29", "2011-12-30"),
        ("Pacific/Apia", "2011-12-29", "2012-01-01", "2011-12-27", "2011-12-29"),
        ("Pacific/Apia", "2012-01-01", "2012-01-03", "2011-12-29", "2012-01-01"),
        # not of whole days: as long just before, or the same times so many days before
        (
            "Europe/Kyiv",
            "2025-03-30T09:00",
            "2025-03-30T17:00",
            "2025-03-30T00:00",
            "2025-03-30T09:00",
        ),
        (
            "Europe/Kyiv",
            "2025-03-30T00:00",
            "2025-03-30T15:00",
            "2025-03-29T00:00",
            "2025-03-29T15:00",
        ),
        (
            "Europe/Kyiv",
            "2025-03-24T00:00",
            "2025-03-30T15:00",
            "2025-03-17T00:00",
            "2025-03-23T15:00",
        ),
        ("UTC", "2026-03-01T08:00", "2026-03-01T08:01", "2026-03-01T07:59", "2026-03-01T08:00"),
    ],
)
def test_a_period_that_is_over(
    name: str, start: str, end: str, before_from: str, before_to: str
) -> None:
    zone = ZoneInfo(name)
    period = Period(at(start, zone), at(end, zone))
    before = period.before(zone, at(LATER, zone))
    assert before == Period(at(before_from, zone), at(before_to, zone))


@pytest.mark.parametrize(
    ("name", "start", "end", "now", "before_from", "before_to"),
    [
        # today until three: yesterday until three, whatever happened to the clocks in between
        (
            "Europe/Kyiv",
            "2025-03-30",
            "2025-03-31",
            "2025-03-30T15:00",
            "2025-03-29",
            "2025-03-29T15:00",
        ),
        (
            "Europe/Kyiv",
            "2025-03-31",
            "2025-04-01",
            "2025-03-31T15:00",
            "2025-03-30",
            "2025-03-30T15:00",
        ),
        (
            "Europe/Kyiv",
            "2025-10-26",
            "2025-10-27",
            "2025-10-26T15:00",
            "2025-10-25",
            "2025-10-25T15:00",
        ),
        # at a local time that the day before had not: just after it
        (
            "Europe/Kyiv",
            "2025-03-31",
            "2025-04-01",
            "2025-03-31T03:30",
            "2025-03-30",
            "2025-03-30T04:30",
        ),
        # on the Wednesday of a week, and in the middle of a month
        (
            "Europe/Kyiv",
            "2025-03-31",
            "2025-04-07",
            "2025-04-02T10:00",
            "2025-03-24",
            "2025-03-26T10:00",
        ),
        (
            "Europe/Kyiv",
            "2025-03-01",
            "2025-04-01",
            "2025-03-11T12:00",
            "2025-01-29",
            "2025-02-08T12:00",
        ),
        # around the date that was left out
        (
            "Pacific/Apia",
            "2011-12-31",
            "2012-01-02",
            "2011-12-31T08:00",
            "2011-12-28",
            "2011-12-28T08:00",
        ),
        (
            "Pacific/Apia",
            "2012-01-01",
            "2012-01-03",
            "2012-01-02T08:00",
            "2011-12-29",
            "2011-12-31T08:00",
        ),
        # hours that are not over
        (
            "UTC",
            "2026-03-01T08:00",
            "2026-03-01T12:00",
            "2026-03-01T09:00",
            "2026-03-01T04:00",
            "2026-03-01T05:00",
        ),
        # what has not begun is compared with nothing
        ("UTC", "2026-03-02", "2026-03-03", "2026-03-01T12:00", "2026-03-01", "2026-03-01"),
    ],
)
def test_a_period_that_is_not_over(
    name: str, start: str, end: str, now: str, before_from: str, before_to: str
) -> None:
    zone = ZoneInfo(name)
    before = Period(at(start, zone), at(end, zone)).before(zone, at(now, zone))
    assert before == Period(at(before_from, zone), at(before_to, zone))


def test_ten_years_are_compared_too() -> None:
    zone = ZoneInfo("Europe/Kyiv")
    before = Period(at("2015-01-01", zone), at("2025-01-01", zone)).before(zone, at(LATER, zone))
    assert before == Period(at("2004-12-31", zone), at("2015-01-01", zone))
