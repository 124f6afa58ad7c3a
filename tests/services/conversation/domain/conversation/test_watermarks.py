"""A watermark moves what was sent until its point, and nothing else, in whatever order it comes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from libs.aggregates.aggregate import Snapshot
from libs.events.content import DeliveryState, ReachedState
from services.conversation.domain.conversation.state import Awaited, Watermarks
from services.conversation.domain.sent_message import (
    Receipt,
    SentIn,
    SentMessage,
    SentMessageState,
)
from tests.support.conversation.cases import Given, active_case, changes
from tests.support.scenarios import NOON, minutes

IN = SentIn(workspace_id="wsp_1", conversation_id="cnv_1", case_id="cnv_1.1")
LATE = minutes(60)


def watermarks(given_: Given) -> Watermarks:
    state = given_.at(LATE).state
    assert state is not None
    return state.watermarks


def test_it_moves_forward_only() -> None:
    given_ = active_case()
    given_.at(minutes(5)).reached("read", minutes(4), minutes(4))
    given_.at(minutes(6)).reached("delivered", minutes(5), minutes(5))
    again = given_.at(minutes(7))
    again.reached("read", minutes(6), minutes(3))
    again.reached("read", minutes(6), minutes(4))
    assert again.changes == []
    assert watermarks(given_) == Watermarks(delivered_up_to=minutes(5), read_up_to=minutes(4))


def test_a_platforms_clock_that_is_ahead_reads_nothing_that_is_sent_afterwards() -> None:
    given_ = active_case()
    given_.at(minutes(5)).reached("read", minutes(9), minutes(9))
    assert watermarks(given_).read_up_to == minutes(5)


def test_one_up_to_a_message_not_yet_known_is_kept_until_it_is() -> None:
    given_ = active_case()
    given_.at(minutes(5)).reached("read", minutes(5), None, "77")
    assert watermarks(given_).awaited == (Awaited("read", "77"),)
    twice = given_.at(minutes(6))
    twice.reached("read", minutes(5), None, "77")
    assert twice.changes == []
    known = given_.at(minutes(7))
    known.reached("read", minutes(5), minutes(4), "77")
    assert changes(known) == ["WatermarkMoved"]
    assert watermarks(given_) == Watermarks(read_up_to=minutes(4))


def test_what_is_awaited_is_bounded() -> None:
    given_ = active_case()
    for number in range(10):
        given_.at(minutes(5)).reached("read", minutes(5), None, str(number))
    assert [one.external for one in watermarks(given_).awaited] == ["6", "7", "8", "9"]


class Sending:
    """A conversation's sent messages, and what the platform says of them."""

    def __init__(self) -> None:
        self.given = active_case()
        self.messages: dict[int, Snapshot[SentMessageState]] = {}
        self._clock = count(0)

    def receipt(self, number: int, state: DeliveryState, at: datetime) -> None:
        message = SentMessage(f"msg_{number}", self.messages.get(number), self._now())
        message.receipt(Receipt(state, at, (str(number),)), IN)
        marks = watermarks(self.given)
        for reached in ("read", "delivered"):
            message.reached(reached, at, marks.up_to(reached))
        self._keep(number, message)

    def watermark(self, state: ReachedState, up_to: datetime) -> None:
        self.given.at(self._now()).reached(state, up_to, up_to)
        for number, snapshot in list(self.messages.items()):
            message = SentMessage(f"msg_{number}", snapshot, self._now())
            message.reached(state, up_to, up_to)
            self._keep(number, message)

    def states(self) -> dict[int, tuple[str, datetime | None]]:
        return {n: (s.state.state, s.state.sent_at) for n, s in sorted(self.messages.items())}

    def _keep(self, number: int, message: SentMessage) -> None:
        before = self.messages.get(number)
        if message.state is not None:
            self.messages[number] = message.snapshot()
        if before is not None and before.state.state != message.snapshot().state.state:
            order = ("sent", "delivered", "read")
            states = [before.state.state, message.snapshot().state.state]
            assert sorted(states, key=order.index) == states

    def _now(self) -> datetime:
        return minutes(60 + next(self._clock))


type Word = Callable[[Sending], None]


def _words() -> st.SearchStrategy[list[Word]]:
    """Of five messages, the nth sent at its nth minute, and of all until a point between two."""

    def sent(number: int) -> Word:
        return lambda sending: sending.receipt(number, "sent", minutes(number))

    def delivered(number: int) -> Word:
        return lambda sending: sending.receipt(number, "delivered", minutes(number + 0.2))

    def read(number: int) -> Word:
        return lambda sending: sending.receipt(number, "read", minutes(number + 0.4))

    def until(state: ReachedState, point: int) -> Word:
        return lambda sending: sending.watermark(state, minutes(point + 0.5))

    numbers = st.integers(1, 5)
    other = st.one_of(
        st.builds(delivered, numbers),
        st.builds(read, numbers),
        st.builds(until, st.sampled_from(["delivered", "read"]), st.integers(0, 5)),
    )
    return st.lists(other, max_size=6).map(lambda words: [*map(sent, range(1, 6)), *words])


def _outcome(words: Sequence[Word]) -> dict[int, tuple[str, datetime | None]]:
    sending = Sending()
    for word in words:
        word(sending)
    return sending.states()


@given(_words().flatmap(lambda words: st.tuples(st.just(words), st.permutations(words))))
def test_the_order_in_which_the_words_come_changes_nothing(
    orders: tuple[list[Word], list[Word]],
) -> None:
    inorder, shuffled = orders
    assert _outcome(shuffled) == _outcome(inorder)
    assert _outcome([*shuffled, *inorder]) == _outcome(inorder)


@given(st.integers(0, 5), st.permutations(range(1, 6)))
def test_those_before_the_point_are_moved_and_no_later_one(point: int, order: list[int]) -> None:
    sending = Sending()
    for number in order[:3]:
        sending.receipt(number, "sent", minutes(number))
    sending.watermark("read", minutes(point + 0.5))
    for number in order[3:]:
        sending.receipt(number, "sent", minutes(number))
    states = {number: state for number, (state, _) in sending.states().items()}
    assert states == {n: "read" if n <= point else "sent" for n in range(1, 6)}
    assert minutes(1) > NOON
