"""The history that a live socket goes on from, without a socket."""

from dataclasses import dataclass

from services.gateway.live.history import History
from services.gateway.live.positions import Positions


@dataclass(frozen=True)
class Kept:
    place: int
    offset: int
    size_bytes: int = 1


class Reader:
    """Reads events into a history as the feed does."""

    def __init__(self, history: History[Kept], positions: Positions) -> None:
        self.history = history
        self.positions = positions

    def read(self, workspace: str, place: int, offset: int, size_bytes: int = 1) -> Kept:
        self.positions.move(place, offset + 1)
        kept = Kept(place, offset, size_bytes)
        self.history.add(workspace, kept, self.positions.vector)
        return kept


def test_what_was_missed_comes_in_the_order_of_reading() -> None:
    reader = Reader(History((0, 0)), Positions([2]))
    first = reader.read("a", 0, 0)
    seen = reader.positions.vector
    second, third = reader.read("a", 1, 0), reader.read("a", 0, 1)
    reader.read("b", 0, 2)

    assert reader.history.since("a", seen) == [second, third]
    assert reader.history.since("a", (0, 0)) == [first, second, third]
    assert reader.history.since("c", (0, 0)) == []


def test_what_is_no_longer_kept_is_said_not_skipped() -> None:
    reader = Reader(History((0,), entries_of_a_workspace=2), Positions([1]))
    kept = [reader.read("a", 0, offset) for offset in range(3)]

    assert reader.history.since("a", (0,)) is None
    assert reader.history.since("a", (1,)) == kept[1:]


def test_what_was_before_reading_began_is_not_known() -> None:
    history: History[Kept] = History((5,))

    assert history.since("a", (4,)) is None
    assert history.since("a", (5,)) == []


def test_the_quietest_workspace_is_forgotten_when_memory_is_short() -> None:
    reader = Reader(History((0,), bytes_in_all=10), Positions([1]))
    reader.read("quiet", 0, 0, 6)
    busy = reader.read("busy", 0, 1, 6)

    assert reader.history.since("quiet", (0,)) is None
    assert reader.history.since("quiet", (2,)) == []
    assert reader.history.since("busy", (0,)) == [busy]


def test_what_was_forgotten_is_not_gone_on_from_and_other_workspaces_are_not_concerned() -> None:
    reader = Reader(History((0,), bytes_in_all=20), Positions([1]))
    reader.read("a", 0, 0, 6)
    other = reader.read("b", 0, 1, 6)
    reader.read("a", 0, 2, 6)

    reader.history.forget("a", reader.positions.vector)

    assert reader.history.since("a", (2,)) is None
    assert reader.history.since("a", (3,)) == []
    assert reader.history.since("b", (0,)) == [other]
    # and its memory is free again
    assert reader.read("a", 0, 3, 14) in (reader.history.since("a", (3,)) or [])
    assert reader.history.since("b", (0,)) == [other]
