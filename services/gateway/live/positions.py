"""Kafka's positions as a cursor: what one replica has shown, any other can go on from."""

import re
from collections.abc import Sequence
from typing import Final

_VERSION: Final = "1"
_TEXT = re.compile(r"1(?:-[0-9a-f]{1,15}(?:\.[0-9a-f]{1,15})*)+")
_CHARACTERS_AT_MOST: Final = 8192

Vector = tuple[int, ...]


class Positions:
    """The next offset of every partition of some topics, in a fixed order.

    ``partitions`` are how many each topic has. A place is the index of a partition in the vector.
    """

    def __init__(self, partitions: Sequence[int]) -> None:
        self._firsts = [sum(partitions[:topic]) for topic in range(len(partitions))]
        self._shape = tuple(partitions)
        self._next = [0] * sum(partitions)
        self._texts = ["0"] * sum(partitions)

    def place(self, topic: int, partition: int) -> int:
        return self._firsts[topic] + partition

    def move(self, place: int, next_offset: int) -> None:
        self._next[place] = next_offset
        self._texts[place] = f"{next_offset:x}"

    @property
    def vector(self) -> Vector:
        return tuple(self._next)

    def reached(self, vector: Vector) -> bool:
        return all(ours >= theirs for ours, theirs in zip(self._next, vector, strict=True))

    def cursor(self) -> str:
        """Opaque to clients: hexadecimal offsets, one group a topic."""
        groups = (
            ".".join(self._texts[first : first + count])
            for first, count in zip(self._firsts, self._shape, strict=True)
        )
        return "-".join((_VERSION, *groups))

    def read(self, cursor: str) -> Vector | None:
        """The vector of a cursor; None where it is not one of ours, or of other partitions."""
        if len(cursor) > _CHARACTERS_AT_MOST or _TEXT.fullmatch(cursor) is None:
            return None
        groups = [group.split(".") for group in cursor.split("-")[1:]]
        if tuple(len(group) for group in groups) != self._shape:
            return None
        return tuple(int(offset, 16) for group in groups for offset in group)
