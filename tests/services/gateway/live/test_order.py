"""Repeats and gaps of a stream, as a live socket notices them."""

from services.gateway.live.order import LastSequences, Seen


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
