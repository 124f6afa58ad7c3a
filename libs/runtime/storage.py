"""Object storage: a folder on one machine, S3 or its like on many."""

from collections.abc import Mapping
from typing import Any

from obstore.store import ObjectStore, from_url


class StorageAway(Exception):
    """The object storage did not do what it was asked."""


def open_storage(url: str, options: Mapping[str, str]) -> ObjectStore:
    """``options`` as obstore names them for the store (``region``, ``endpoint``…)."""
    if url.startswith("file://"):
        folder: ObjectStore = from_url(url, mkdir=True)
        return folder
    given: Any = dict(options)
    remote: ObjectStore = from_url(url, config=given)
    return remote
