"""Whatever order things happen in: each cause once, versions without gaps, messages in order."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.eventstore.commits import Appended
from libs.eventstore.errors import CauseRepeated
from libs.eventstore.outbox import Step
from libs.eventstore.store import AsyncEventStore
from tests.support.eventstore.builders import commit_of
from tests.support.eventstore.replicas import BrokerRefused, ProcessStopped, Replica, Topic

pytestmark = pytest.mark.servers

# One store for all examples of a test: each example has streams of its own.
_examples = itertools.count()
_on_one_store = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_deliveries = st.lists(
    st.tuples(st.integers(0, 2), st.frozensets(st.integers(0, 9), min_size=1, max_size=4)),
    min_size=1,
    max_size=25,
)


@_on_one_store
@given(batches=st.lists(_deliveries, min_size=1, max_size=4))
async def test_a_cause_delivered_again_and_again_is_applied_once(
    store: AsyncEventStore, batches: Sequence[Sequence[tuple[int, frozenset[int]]]]
) -> None:
    """Consumers take overlapping sets of causes, at once, and each wants its own applied."""
    example = next(_examples)

    async def consume(deliveries: Sequence[tuple[int, frozenset[int]]]) -> None:
        for which, causes in deliveries:
            await apply_once(store, f"{example}-{which}", {str(cause) for cause in causes})

    await asyncio.gather(*(consume(deliveries) for deliveries in batches))

    for which in range(3):
        wanted = {str(c) for ds in batches for w, causes in ds if w == which for c in causes}
        stream = f"{example}-{which}"
        commits = (await store.load({stream: 0}))[stream]
        applied = [cause for commit in commits for cause in commit.causes]
        assert sorted(applied) == sorted(wanted)
        assert [c.first for c in commits] == [*range(1, len(commits) + 1)]
        assert await store.applied_causes({stream: [*wanted, "never"]}) == {stream: wanted}


async def apply_once(store: AsyncEventStore, stream: str, causes: set[str]) -> None:
    """What a consumer does with a message: what was applied before is left out."""
    known = 0
    while causes:
        commit = commit_of(stream, known + 1, causes=tuple(sorted(causes)))
        [outcome] = await store.append([commit])
        if isinstance(outcome, Appended):
            return
        if isinstance(outcome, CauseRepeated):
            assert outcome.cause in causes
        newer = (await store.load({stream: known}))[stream]
        known = newer[-1].last if newer else known
        causes -= (await store.applied_causes({stream: causes}))[stream]


_fates = st.sampled_from([None, None, None, *Step, "refused", "swept"])


@_on_one_store
@given(
    plan=st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), _fates), max_size=5), max_size=6
    )
)
async def test_first_appearances_are_in_order_whoever_dies_where(
    store: AsyncEventStore, plan: Sequence[Sequence[tuple[int, int, Step | str | None]]]
) -> None:
    """Rounds of commands by several processes at once, some of which end in the middle."""
    example = next(_examples)
    topic = Topic()
    lasting = Replica(store, topic)
    number = itertools.count()

    async def command(which: int, events: int, fate: Step | str | None) -> None:
        stream, cause = f"{example}-{which}", f"command-{next(number)}"
        replica = lasting
        if fate == "refused":
            topic.refuse += 1
        elif isinstance(fate, Step):
            replica = Replica(store, topic, stop_at=fate)
        try:
            if fate == "swept":
                await Replica(store, topic).outbox.sweep()
            await replica.note(stream, cause=cause, events=events)
        except (ProcessStopped, BrokerRefused):
            return

    for at_once in plan:
        await asyncio.gather(*(command(*one) for one in at_once))
    topic.refuse = 0
    while await Replica(store, topic).outbox.sweep():
        pass

    streams = [f"{example}-{which}" for which in range(3)]
    for stream, commits in (await store.load(dict.fromkeys(streams, 0))).items():
        versions = [*range(1, commits[-1].last + 1)] if commits else []
        assert topic.first_appearances().get(stream, []) == versions
        assert not any(commit.pending for commit in commits)
