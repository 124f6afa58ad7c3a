"""Anything, in any order, with crashes and pauses between append, project, publish and mark.

Each example has two conversations of its own, of one person or of two, and two replicas that take
turns, on the real MongoDB and the real Kafka. A step that comes to an end or not: then everything
comes to rest, and what must hold is checked against what the store keeps.

`PARLEY_MACHINE_EXAMPLES` is how many examples are tried, `PARLEY_MACHINE_SEED` where they begin.
They are shared out among machines that run side by side, each from a seed of its own that follows
from the one given.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from services.conversation.settings import ConversationSettings
from tests.support.conversation.machine.machine import Machine
from tests.support.conversation.machine.plant import Plant, plants_in_a_thread

pytestmark = pytest.mark.servers

EXAMPLES = int(os.environ.get("PARLEY_MACHINE_EXAMPLES", "100"))
SEED = os.environ.get("PARLEY_MACHINE_SEED")


# So many machines keep the servers and this process busy; more of them only wait for each other.
SIDE_BY_SIDE = 6


@pytest.mark.timeout(24 * 60 * 60)
# The drivers draw random numbers in the plants' thread, which is nothing of a strategy's.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
def test_whatever_happens_nothing_is_lost_doubled_or_miscounted(
    machine_settings: ConversationSettings,
) -> None:
    with (
        plants_in_a_thread(machine_settings, SIDE_BY_SIDE) as plants,
        ThreadPoolExecutor(len(plants)) as pool,
    ):
        running = [pool.submit(_run, number, plant) for number, plant in enumerate(plants)]
        failed = [error for one in running if (error := one.exception())]
    if failed:
        raise failed[0]


def _run(number: int, plant: Plant) -> None:
    """One machine's share of the examples."""
    share = EXAMPLES // SIDE_BY_SIDE + (number < EXAMPLES % SIDE_BY_SIDE)
    if not share:
        return
    machine: type[Machine] = type(f"Machine{number}", (Machine,), {"plant": plant})
    if SEED is not None:
        machine = hypothesis.seed(SIDE_BY_SIDE * int(SEED) + number)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=share,
            stateful_step_count=20,
            # To explain is to trace, which two at once cannot.
            phases=[phase for phase in Phase if phase is not Phase.explain],
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
