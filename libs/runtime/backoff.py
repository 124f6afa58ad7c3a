"""How long to wait before what failed is tried again."""

from datetime import timedelta
from typing import Final

LONGEST_PAUSE: Final = timedelta(hours=1)


def pause(first: timedelta, attempt: int) -> timedelta:
    """After the given try, counted from 1: twice as long each time, an hour at most."""
    doublings = min(attempt - 1, 20)
    return min(first * (1 << doublings), LONGEST_PAUSE)
