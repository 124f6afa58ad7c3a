"""Durations and shares as people read them."""

import math
from typing import Final

NO_DATA: Final = "–"
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def duration_text(seconds: float | None) -> str:
    """``8d 1h``, ``20h 44m``, ``3m 05s``, ``7s``; a dash for None. Whole seconds, half up."""
    if seconds is None:
        return NO_DATA
    whole = round_half_up(seconds)
    if whole >= _DAY:
        return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"
    if whole >= _HOUR:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02}m"
    if whole >= _MINUTE:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02}s"
    return f"{whole}s"


def percent(part: int, whole: int) -> int | None:
    """Whole percent, half up, in integers (2 of 16 is 13); None of nothing."""
    return (200 * part + whole) // (2 * whole) if whole else None


def percent_text(part: int, whole: int) -> str:
    """``13 %``; a dash where there is nothing to take a share of."""
    rounded = percent(part, whole)
    return NO_DATA if rounded is None else f"{rounded} %"


def round_half_up(value: float) -> int:
    return math.floor(value + 0.5)
