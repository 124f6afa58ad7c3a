"""Cursors, history and order: the rules of the live socket without a socket."""

from dataclasses import dataclass

from services.gateway.live.history import History
from services.gateway.live.order import LastSequences, Seen
from services.gateway.live.positions import Cursors, Positions

KEY = bytes(range(32))


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


SHAPE = (2, 1)


def test_a_cursor_is_read_by_any_replica_with_the_same_partitions() -> None:
    here, there = Positions(SHAPE), Positions(SHAPE)
    here.move(here.place(0, 1), 255)
    here.move(here.place(1, 0), 7)

    cursor = Cursors(KEY).seal("wsp_1", here.shape, here.vector)
    vector = Cursors(KEY).open("wsp_1", there.shape, cursor)

    assert vector == (0, 255, 7)
    assert not there.reached(vector)
    assert here.reached(vector)


def test_a_cursor_is_of_its_workspace_its_partitions_and_its_deployment_alone() -> None:
    cursor = Cursors(KEY).seal("wsp_1", SHAPE, (1, 2, 3))

    assert Cursors(KEY).open("wsp_2", SHAPE, cursor) is None
    assert Cursors(KEY).open("wsp_1", (1, 2), cursor) is None
    assert Cursors(KEY).open("wsp_1", (2, 1, 1), cursor) is None
    assert Cursors(bytes(32)).open("wsp_1", SHAPE, cursor) is None


def test_a_cursor_tells_nothing_of_the_offsets() -> None:
    """Neither by what stands in it nor by how long it is, nor by what two have in common."""
    cursors = Cursors(KEY)
    one = cursors.seal("wsp_1", SHAPE, (1, 2, 3))
    next_one = cursors.seal("wsp_1", SHAPE, (1, 2, 4))
    late = cursors.seal("wsp_1", SHAPE, (10**12, 10**13, 10**14))
    other = cursors.seal("wsp_2", SHAPE, (1, 2, 3))

    assert len(one) == len(next_one) == len(late) == len(other)
    assert (
        len({text[place : place + 8] for text in (one, next_one, other) for place in (0, 24)}) == 6
    )


def test_a_cursor_that_is_none_cannot_be_served() -> None:
    cursor = Cursors(KEY).seal("wsp_1", SHAPE, (1, 2, 3))
    altered = cursor[:-3] + ("A" if cursor[-3] != "A" else "B") + cursor[-2:]
    for text in (
        *("", "1", "1-0.0-0", "=", "====", "\x00", "ключ", cursor[:-4], cursor + "AAAA", altered),
        *(f" {cursor}", f"{cursor}\n", "A" * 64, "A" * 9_999),
    ):
        assert Cursors(KEY).open("wsp_1", SHAPE, text) is None, text


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


def test_a_repeat_is_known_and_a_gap_is_noticed() -> None:
    order = LastSequences()

    assert [order.see("cnv_1", n) for n in (4, 5, 5, 4, 7, 8)] == [
        Seen.NEXT,
        Seen.NEXT,
        Seen.REPEAT,
        Seen.REPEAT,
        Seen.GAP,
        Seen.NEXT,
    ]
    assert order.see("cnv_2", 9) is Seen.NEXT


def test_the_memory_of_streams_is_bounded() -> None:
    order = LastSequences(remembered=2)
    for stream in ("a", "b", "c"):
        order.see(stream, 3)

    assert order.see("c", 3) is Seen.REPEAT
    assert order.see("a", 3) is Seen.NEXT
