"""Going on where one of many is of no use: a record that is followed, a row of a list.

A failure of a server is not one thing's own: it comes through.
"""

from typing import Final

import structlog
from cachetools import TTLCache

from libs.eventstore.errors import StopHere
from libs.runtime.metrics import NOT_FOLLOWED
from libs.runtime.mongo import refused_whoever_asks

log = structlog.get_logger()

# The same thing may be met with each page and each sweep; it is told again after so long.
_TOLD_EVERY_S: Final = 600.0
_REMEMBERED: Final = 1_000
_told: TTLCache[tuple[str, str], bool] = TTLCache(_REMEMBERED, _TOLD_EVERY_S)


class left_out:  # read as a statement: with left_out(…)
    """What is done inside is left where it fails, with an alert and a metric.

    ``what`` kind of thing it is, for the metric; ``name``: which one, nothing personal;
    ``passing``: the failures of the servers that it needs.
    """

    def __init__(self, what: str, name: object, passing: tuple[type[Exception], ...] = ()) -> None:
        self._what = what
        self._name = str(name)
        self._come_through: tuple[type[Exception], ...] = (StopHere, *passing)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _at: object
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, self._come_through):
            return False
        if refused_whoever_asks(error):
            return False
        NOT_FOLLOWED.labels(self._what).inc()
        key = (self._what, self._name)
        if key not in _told:
            log.critical(
                "left out, the others go on", what=self._what, name=self._name, exc_info=error
            )
            _told[key] = True
        return True
