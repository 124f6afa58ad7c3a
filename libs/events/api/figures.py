"""The figures of a period."""

from datetime import datetime
from typing import Literal

from libs.events.registry import Body

By = Literal["member", "source", "channel", "group", "location"]


class Count(Body):
    """``change_percent`` against the period before; null where that was 0."""

    value: int
    previous: int
    change_percent: int | None


class Rate(Body):
    """``value`` is ``part / whole``, 0..1; null of nothing. ``text`` is how it is shown."""

    part: int
    whole: int
    value: float | None
    text: str


class ComparedRate(Rate):
    previous: float | None
    previous_text: str
    change_percent: int | None


class Duration(Body):
    seconds: float | None
    text: str


class ComparedDuration(Duration):
    previous_seconds: float | None
    previous_text: str
    change_percent: int | None


class Times(Body):
    """``measured``: how many answers, or closed cases, they are made of."""

    measured: int
    average: Duration
    median: Duration
    p90: Duration


class ComparedTimes(Body):
    measured: int
    average: ComparedDuration
    median: ComparedDuration
    p90: ComparedDuration


class Summary(Body, rename={"start": "from", "end": "to"}):
    """Cases opened in the period, beside the period before it: as many local days in
    ``time_zone``, until the same local time where the period is not over."""

    start: datetime
    end: datetime
    previous_from: datetime
    previous_to: datetime
    time_zone: str
    all: Count
    responded: Count
    unresponded: Count
    assigned: Count
    open: Count
    closed: Count
    response_rate_by_cases: ComparedRate
    response_rate_by_turns: ComparedRate
    time_to_respond: ComparedTimes
    time_to_close: ComparedTimes


class PerformanceRow(Body):
    """``key`` is an id or a channel; null: no member, or no group.

    ``response_rate`` by member is of turns while responsible, else of cases.
    """

    key: str | None
    all: int
    responded: int
    unresponded: int
    assigned: int
    open: int
    closed: int
    response_rate: Rate
    time_to_respond: Times
    time_to_close: Times


class Performance(Body, rename={"start": "from", "end": "to"}):
    by: By
    start: datetime
    end: datetime
    items: tuple[PerformanceRow, ...]
