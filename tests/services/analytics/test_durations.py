import pytest

from services.analytics.durations import duration_text, percent, percent_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0s"),
        (7.4, "7s"),
        (59.5, "1m 00s"),
        (185, "3m 05s"),
        (3599.4, "59m 59s"),
        (3600, "1h 00m"),
        (20 * 3600 + 44 * 60 + 59, "20h 44m"),
        (86_400, "1d 0h"),
        (8 * 86_400 + 3600, "8d 1h"),
    ],
)
def test_a_duration_shows_its_two_largest_units(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (3, 122, "2 %"),
        (2, 16, "13 %"),
        (2731, 90_415, "3 %"),
        (93, 1334, "7 %"),
        (3, 4, "75 %"),
        (7, 11, "64 %"),
        (1, 200, "1 %"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (0, 0, "–"),
    ],
)
def test_a_share_is_rounded_half_up_to_whole_percent(part: int, whole: int, text: str) -> None:
    assert percent_text(part, whole) == text


def test_a_share_of_nothing_is_nothing() -> None:
    assert percent(0, 0) is None
