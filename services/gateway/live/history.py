"""The recent events of each workspace, so that a socket can go on where another broke off."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, Protocol

from services.gateway.live.positions import Vector

ENTRIES_OF_A_WORKSPACE: Final = 400
BYTES_IN_ALL: Final = 64_000_000


class Entry(Protocol):
    """What is kept: where Kafka has it, and how much memory it is worth."""

    @property
    def place(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...


@dataclass(slots=True)
class _Ring[E: Entry]:
    """``floor``: at each place, the first offset from which nothing is missing."""

    floor: list[int]
    entries: deque[E] = field(default_factory=deque)
    size_bytes: int = 0


class History[E: Entry]:
    """Bounded by entries for each workspace and by bytes for all of them together.

    ``begin`` is where reading began: before it nothing is known of any workspace.
    """

    def __init__(
        self,
        begin: Vector,
        entries_of_a_workspace: int = ENTRIES_OF_A_WORKSPACE,
        bytes_in_all: int = BYTES_IN_ALL,
    ) -> None:
        self._floor = begin
        self._rings: OrderedDict[str, _Ring[E]] = OrderedDict()
        self._entries_at_most = entries_of_a_workspace
        self._bytes_at_most = bytes_in_all
        self._size_bytes = 0

    def add(self, workspace_id: str, entry: E, positions: Vector) -> None:
        """``positions``: of all that was read, with this entry."""
        ring = self._rings.setdefault(workspace_id, _Ring(list(self._floor)))
        self._rings.move_to_end(workspace_id)
        ring.entries.append(entry)
        ring.size_bytes += entry.size_bytes
        self._size_bytes += entry.size_bytes
        if len(ring.entries) > self._entries_at_most:
            oldest = ring.entries.popleft()
            ring.floor[oldest.place] = oldest.offset + 1
            ring.size_bytes -= oldest.size_bytes
            self._size_bytes -= oldest.size_bytes
        while self._size_bytes > self._bytes_at_most:
            # The workspace that was quiet for the longest is forgotten as a whole.
            _, forgotten = self._rings.popitem(last=False)
            self._size_bytes -= forgotten.size_bytes
            self._floor = positions

    def forget(self, workspace_id: str, positions: Vector) -> None:
        """Nobody can go on in the workspace from before ``positions``."""
        ring = self._rings.pop(workspace_id, None)
        self._size_bytes -= ring.size_bytes if ring else 0
        self._rings[workspace_id] = _Ring(list(positions))

    def since(self, workspace_id: str, wanted: Vector) -> list[E] | None:
        """What happened in the workspace from ``wanted`` on; None where some of it is gone."""
        ring = self._rings.get(workspace_id)
        floor = ring.floor if ring else self._floor
        if any(want < first for want, first in zip(wanted, floor, strict=True)):
            return None
        if ring is None:
            return []
        return [entry for entry in ring.entries if entry.offset >= wanted[entry.place]]
