"""How often somebody may try a secret: counted in MongoDB, so by all replicas together.

    {_id: "<window>:<SHA-256 of what is counted>", count, expires_at}

An attempt is counted when it begins, so that many at once do not slip through, and taken back when
it was no guess. Windows are the same for everybody (each five minutes of the clock), so when
the next one begins is known: that is the ``Retry-After``.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from libs.runtime.mongo import Document

WINDOW_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Window:
    """``number`` counts the windows; times are Unix times, in seconds."""

    number: int
    now: float
    ends: float

    @property
    def left_seconds(self) -> int:
        return max(1, math.ceil(self.ends - self.now))


def window_at(instant: datetime) -> Window:
    now = instant.timestamp()
    number = math.floor(now / WINDOW_SECONDS)
    return Window(number, now, (number + 1) * WINDOW_SECONDS)


class Exhausted(Exception):
    """``retry_after_seconds``: until the next window."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class Attempts:
    def __init__(
        self,
        counts: AsyncCollection[Document],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._counts = counts
        self._clock = clock

    def window(self) -> Window:
        """The present one."""
        return window_at(self._clock())

    async def ensure_indexes(self) -> None:
        await self._counts.create_index("expires_at", name="expiry", expireAfterSeconds=0)

    async def begin(self, allowed: Mapping[str, int]) -> "Attempt":
        """``allowed``: of each thing that is counted, so many within a window; all of them are
        counted at once, in one round trip. Errors: Exhausted, and then nothing is counted."""
        window = self.window()
        names = {
            key: f"{window.number}:{hashlib.sha256(key.encode()).hexdigest()}" for key in allowed
        }
        counts = await asyncio.gather(*(self._count(name, window.ends) for name in names.values()))
        counted = dict(zip(allowed, counts, strict=True))
        attempt = Attempt(self, names)
        if any(count > allowed[key] for key, count in counted.items()):
            await attempt.take_back()
            raise Exhausted(window.left_seconds)
        return attempt

    async def _count(self, name: str, ends: float) -> int:
        for _ in range(2):
            # Of two that begin a window at once, one finds the other's.
            try:
                found = await self._counts.find_one_and_update(
                    {"_id": name},
                    {
                        "$inc": {"count": 1},
                        "$setOnInsert": {"expires_at": datetime.fromtimestamp(ends, UTC)},
                    },
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                continue
            if found is not None:
                return int(found["count"])
        raise RuntimeError("a counter is there and is not")

    async def take_back(self, names: list[str]) -> None:
        await self._counts.update_many({"_id": {"$in": names}}, {"$inc": {"count": -1}})


class Attempt:
    """One that was counted."""

    def __init__(self, attempts: Attempts, names: Mapping[str, str]) -> None:
        self._attempts = attempts
        self._names = names

    async def take_back(self) -> None:
        """It was no guess."""
        await self._attempts.take_back(list(self._names.values()))
