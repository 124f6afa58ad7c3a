"""What MongoDB says of a write whose unique key is taken."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo.errors import BulkWriteError

DUPLICATE_KEY: Final = 11000


def refused_as_taken(error: BulkWriteError) -> Sequence[Mapping[str, Any]]:
    """The writes of a bulk that were refused because their keys are taken, as the driver tells it.

    Errors: ``error`` itself, where anything else went wrong too.
    """
    details: Mapping[str, Any] = error.details
    failures: Sequence[Mapping[str, Any]] = details["writeErrors"]
    if details.get("writeConcernErrors") or any(one["code"] != DUPLICATE_KEY for one in failures):
        raise error
    return failures
