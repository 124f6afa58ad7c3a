from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from services.analytics.figures import (
    Figures,
    Seconds,
    change_percent,
    performance,
    summary,
)
from services.analytics.periods import Period

MARCH = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
BEFORE = MARCH.before(ZoneInfo("UTC"), MARCH.end)


def test_the_previous_period_is_of_the_same_length_just_before() -> None:
    assert Period(datetime(2026, 2, 23, tzinfo=UTC), MARCH.start) == BEFORE


def test_a_change_is_in_whole_percent_and_none_where_there_is_nothing_to_compare() -> None:
    assert change_percent(150, 100) == 50
    assert change_percent(1, 8) == -87  # -87.5, half up
    assert change_percent(0, 4) == -100
    assert change_percent(4, 0) is None
    assert change_percent(None, 4) is None
    assert change_percent(4, None) is None


def test_a_summary_of_nothing_has_no_times_and_no_rates() -> None:
    made = msgspec.to_builtins(summary(MARCH, BEFORE, "UTC", Figures(), Figures()))

    assert made["from"] == "2026-03-02T00:00:00Z"
    assert made["all"] == {"value": 0, "previous": 0, "change_percent": None}
    assert made["response_rate_by_cases"]["value"] is None
    assert made["response_rate_by_cases"]["text"] == "–"
    assert made["time_to_close"]["average"] == {
        "seconds": None,
        "text": "–",
        "previous_seconds": None,
        "previous_text": "–",
        "change_percent": None,
    }


def test_a_summary_compares_each_figure_with_the_period_before() -> None:
    now = Figures(
        all=122, responded=3, turns=11, answered=7, time_to_close=Seconds(3, 694_800, 185, 74_640)
    )
    before = Figures(all=100, responded=4, time_to_close=Seconds(2, 347_400, 185, 74_640))

    made = summary(MARCH, BEFORE, "UTC", now, before)

    assert made.all.change_percent == 22
    assert made.response_rate_by_cases.text == "2 %"
    assert made.response_rate_by_cases.previous_text == "4 %"
    assert made.response_rate_by_turns.text == "64 %"
    assert made.response_rate_by_turns.previous is None
    assert made.time_to_close.average.text == "8d 1h"
    assert made.time_to_close.average.change_percent == 100
    assert made.time_to_close.median.text == "3m 05s"
    assert made.time_to_close.p90.text == "20h 44m"


def test_by_member_the_rate_is_of_turns_and_otherwise_of_cases() -> None:
    figures: dict[str | None, Figures] = {"x": Figures(all=16, responded=2, turns=4, answered=3)}

    assert performance("member", MARCH, figures).items[0].response_rate.text == "75 %"
    assert performance("source", MARCH, figures).items[0].response_rate.text == "13 %"


def test_the_busiest_comes_first_and_nobody_last_among_equals() -> None:
    figures = {None: Figures(all=1), "b": Figures(all=1), "a": Figures(all=1), "c": Figures(all=2)}

    assert [row.key for row in performance("member", MARCH, figures).items] == ["c", "a", "b", None]
