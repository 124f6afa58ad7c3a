"""The short numbers of cases: unique in their workspace, taken from its counter in blocks.

{_id: workspace id, last: the greatest number given out}    (collection ``conversation_counters``)

A process takes a block with one round trip and gives its numbers out from memory, because whether
a message opens a case is known only when it is decided, and no round trip belongs there. A number
that was given out for nothing, and the rest of a block when the process ends, are never used:
numbers have gaps. So that they stay short, a block is small where few cases are opened.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from libs.runtime.consumer import Transient
from libs.runtime.mongo import Document

COUNTERS: Final = "conversation_counters"

FIRST_BLOCK: Final = 10
LARGEST_BLOCK: Final = 2_000
# A block that did not last so long was too small.
_LASTS_SECONDS: Final = 10.0


class _Block:
    """``following`` is the next number to hand out, ``last`` the last one that is ours."""

    __slots__ = ("following", "last", "size", "taken_at")

    def __init__(self) -> None:
        self.following = 1
        self.last = 0
        self.size = FIRST_BLOCK
        self.taken_at = -_LASTS_SECONDS

    @property
    def left(self) -> int:
        return self.last - self.following + 1


class CaseNumbers:
    """Gives out numbers. ``reserve`` those that may be needed, before anything is decided."""

    def __init__(self, counters: AsyncCollection[Document]) -> None:
        self._counters = counters
        self._blocks: dict[str, _Block] = {}

    async def reserve(self, wanted: Mapping[str, int]) -> None:
        """See that so many of each workspace are there. Errors: pymongo's, Transient."""
        for workspace_id, count in wanted.items():
            block = self._blocks.setdefault(workspace_id, _Block())
            if block.left < count:
                await self._take(workspace_id, block, count)

    def of(self, workspace_id: str) -> Callable[[], int]:
        """The workspace's next number, another at each call. Errors of it: Transient (more were
        needed than reserved, which happens where decisions are made again and again)."""

        def following() -> int:
            block = self._blocks.get(workspace_id)
            if block is None or block.left < 1:
                raise Transient("the numbers for new cases are used up")
            block.following += 1
            return block.following - 1

        return following

    async def _take(self, workspace_id: str, block: _Block, count: int) -> None:
        now = monotonic()
        if now - block.taken_at < _LASTS_SECONDS:
            block.size = min(2 * block.size, LARGEST_BLOCK)
        else:
            block.size = FIRST_BLOCK
        size = max(block.size, count)
        try:
            counter = await self._counters.find_one_and_update(
                {"_id": workspace_id},
                {"$inc": {"last": size}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError as error:
            raise Transient("another process made the counter at the same time") from error
        if counter is None:
            raise Transient("the counter was removed just now")
        # Whoever reserved meanwhile replaced the block: numbers are lost, none is given out twice.
        block.following, block.last = counter["last"] - size + 1, counter["last"]
        block.taken_at = now
