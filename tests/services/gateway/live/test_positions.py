"""Cursors: a place in the feed, sealed for whoever goes on from it."""

from services.gateway.live.positions import Cursors, Positions

KEY = bytes(range(32))
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
