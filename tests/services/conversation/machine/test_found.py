"""What the machine came upon in many thousand examples, told shortly."""

from collections.abc import Iterator

import pytest

from libs.eventstore.outbox import Step
from libs.runtime.rows import find_rows
from services.conversation.read_models.inbox.rows import INBOX, snapshot_of
from services.conversation.settings import ConversationSettings
from tests.support.conversation.machine.machine import Machine
from tests.support.conversation.machine.plant import Stop, plants_in_a_thread

pytestmark = [
    pytest.mark.servers,
    # The drivers draw random numbers in the plants' thread, which is nothing of a strategy's.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]


@pytest.fixture
def machine(machine_settings: ConversationSettings) -> Iterator[Machine]:
    with plants_in_a_thread(machine_settings, 1) as plants:
        one: type[Machine] = type("One", (Machine,), {"plant": plants[0]})
        yield one()


def test_a_card_written_while_its_person_is_forgotten_is_shown_everywhere(machine: Machine) -> None:
    # given a person in two conversations, whose erasure was stopped when it had reached one
    machine.begin(routed=False, one_person=True, both=True, known=False, merged=False)
    machine.a_person_is_forgotten(by=0, at=0, who="dima", stop=Stop("crash", Step.APPENDED, 1))
    # when a member writes a card, and that is told before the erasure goes on
    machine.a_member_acts_on_a_customer(
        at=0, by=1, act="edit_card", who="olena", variant=7, stop=None
    )
    machine.what_became_of_customers_is_consumed(by=1, back=0, stop=None)
    # then in the end both show it
    machine.teardown()


def test_who_is_one_person_is_forgotten_as_one(machine: Machine) -> None:
    # given two identities of one person, whose erasure was stopped when it had reached the first
    machine.begin(routed=False, one_person=False, both=True, known=True, merged=True)
    machine.a_person_is_forgotten(by=0, at=0, who="dima", stop=Stop("crash", Step.APPENDED, 1))
    # when it goes on by itself
    machine.what_was_to_be_forgotten_is_looked_at_again(by=1, stop=None)
    # then both are forgotten
    rows = machine.plant.run(find_rows(machine.plant.database[INBOX], machine.streams))
    assert [snapshot_of(row).state.erasures for row in rows] == [1, 1]
    machine.teardown()
