"""Whatever is done in whatever order: exactly one responsible, times in order, replay is equal."""

from hypothesis import given
from hypothesis import strategies as st

from libs.aggregates.aggregate import RuleBroken
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.events import decode, encode, name_of
from tests.support.conversation.acts import MEMBERS
from tests.support.conversation.cases import PLACE, Given, written
from tests.support.conversation.histories import ACTS
from tests.support.scenarios import STREAM, minutes


@given(st.lists(st.sampled_from(range(len(ACTS))), max_size=40))
def test_rules_that_hold_at_every_moment(numbers: list[int]) -> None:
    given_ = Given()
    given_.at(minutes(0)).receive(written(0, minutes(0)), PLACE)
    replayed: ConversationState | None = given_.at(minutes(0)).state
    last_active = minutes(0)
    for step, number in enumerate(numbers, 1):
        conversation = given_.at(minutes(step))
        before = conversation.version
        try:
            ACTS[number](conversation, step)
        except RuleBroken:
            assert conversation.version == before
            continue
        case, state = conversation.case, conversation.state
        assert state is not None
        # An active case has exactly one responsible, one in New or routing has none.
        assert (case.responsible is not None) == (case.state == "active") or case.state == "done"
        assert case.responsible not in case.participants
        assert len(set(case.participants)) == len(case.participants)
        assert (case.closed_at is not None) == (case.state == "done")
        # Only an active case is on offer, and never to who has it.
        assert case.offer is None or case.state == "active"
        assert case.offer is None or case.offer.member_id != case.responsible
        assert len(set(case.people)) == len(case.people)
        # Timers never begin before the case does, and activity never goes back.
        for instant in (case.waiting_since, case.first_response_at, case.closed_at):
            assert instant is None or instant >= case.opened_at
        assert state.active_at >= last_active
        last_active = state.active_at
        # What is stored gives the same state again.
        for change in conversation.changes:
            event = decode(name_of(change.event), encode(change.event))
            replayed = event.apply(replayed)
        assert replayed == state
        assert conversation.stream == STREAM


@given(st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=20))
def test_of_many_takers_the_first_wins(takers: list[str]) -> None:
    given_ = Given()
    given_.at(minutes(0)).receive(written(0, minutes(0)), PLACE)
    for taker in takers:
        conversation = given_.at(minutes(1))
        try:
            conversation.take(taker)
        except RuleBroken:
            assert taker != takers[0]
        assert conversation.case.responsible == takers[0]
