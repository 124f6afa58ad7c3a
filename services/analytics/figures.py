"""The figures of a period, and how a period compares with the one before it."""

import msgspec

from libs.events.api.figures import (
    By,
    ComparedDuration,
    ComparedRate,
    ComparedTimes,
    Count,
    Duration,
    Performance,
    PerformanceRow,
    Rate,
    Summary,
    Times,
)
from services.analytics.durations import duration_text, percent_text, round_half_up
from services.analytics.periods import Period


class Seconds(msgspec.Struct, frozen=True):
    """None where nothing was measured."""

    measured: int = 0
    average: float | None = None
    median: float | None = None
    p90: float | None = None


class Figures(msgspec.Struct, frozen=True):
    """Of a workspace, or of one member, source… of it. Cases are those opened in the period."""

    all: int = 0
    responded: int = 0
    unresponded: int = 0
    assigned: int = 0
    open: int = 0
    closed: int = 0
    turns: int = 0
    answered: int = 0
    time_to_respond: Seconds = Seconds()
    time_to_close: Seconds = Seconds()


def summary(
    period: Period, previous: Period, time_zone: str, now: Figures, before: Figures
) -> Summary:
    return Summary(
        start=period.start,
        end=period.end,
        previous_from=previous.start,
        previous_to=previous.end,
        time_zone=time_zone,
        all=_count(now.all, before.all),
        responded=_count(now.responded, before.responded),
        unresponded=_count(now.unresponded, before.unresponded),
        assigned=_count(now.assigned, before.assigned),
        open=_count(now.open, before.open),
        closed=_count(now.closed, before.closed),
        response_rate_by_cases=_compared_rate(
            (now.responded, now.all), (before.responded, before.all)
        ),
        response_rate_by_turns=_compared_rate(
            (now.answered, now.turns), (before.answered, before.turns)
        ),
        time_to_respond=_compared_times(now.time_to_respond, before.time_to_respond),
        time_to_close=_compared_times(now.time_to_close, before.time_to_close),
    )


def performance(by: By, period: Period, figures: dict[str | None, Figures]) -> Performance:
    """The busiest first."""
    rows = [_row(by, key, of) for key, of in figures.items()]
    rows.sort(key=lambda row: (-row.all, row.key is None, row.key or ""))
    return Performance(by=by, start=period.start, end=period.end, items=tuple(rows))


def _row(by: By, key: str | None, of: Figures) -> PerformanceRow:
    return PerformanceRow(
        key=key,
        all=of.all,
        responded=of.responded,
        unresponded=of.unresponded,
        assigned=of.assigned,
        open=of.open,
        closed=of.closed,
        response_rate=(
            _rate(of.answered, of.turns) if by == "member" else _rate(of.responded, of.all)
        ),
        time_to_respond=_times(of.time_to_respond),
        time_to_close=_times(of.time_to_close),
    )


def change_percent(now: float | None, before: float | None) -> int | None:
    """Whole percent, half up; None where there is nothing to compare with."""
    if now is None or not before:
        return None
    return round_half_up((now - before) / before * 100)


def _count(now: int, before: int) -> Count:
    return Count(value=now, previous=before, change_percent=change_percent(now, before))


def _rate(part: int, whole: int) -> Rate:
    return Rate(
        part=part,
        whole=whole,
        value=part / whole if whole else None,
        text=percent_text(part, whole),
    )


def _compared_rate(now: tuple[int, int], before: tuple[int, int]) -> ComparedRate:
    rate, previous = _rate(*now), _rate(*before)
    return ComparedRate(
        part=rate.part,
        whole=rate.whole,
        value=rate.value,
        text=rate.text,
        previous=previous.value,
        previous_text=previous.text,
        change_percent=change_percent(rate.value, previous.value),
    )


def _times(of: Seconds) -> Times:
    def duration(seconds: float | None) -> Duration:
        return Duration(seconds=seconds, text=duration_text(seconds))

    return Times(
        measured=of.measured,
        average=duration(of.average),
        median=duration(of.median),
        p90=duration(of.p90),
    )


def _compared_times(now: Seconds, before: Seconds) -> ComparedTimes:
    def duration(seconds: float | None, previous: float | None) -> ComparedDuration:
        return ComparedDuration(
            seconds=seconds,
            text=duration_text(seconds),
            previous_seconds=previous,
            previous_text=duration_text(previous),
            change_percent=change_percent(seconds, previous),
        )

    return ComparedTimes(
        measured=now.measured,
        average=duration(now.average, before.average),
        median=duration(now.median, before.median),
        p90=duration(now.p90, before.p90),
    )
