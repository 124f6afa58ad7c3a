"""The transition table: each cell is run, and what the document says of it holds."""

from collections.abc import Iterator

import pytest

from services.conversation.domain.conversation.state import NO_CASE
from tests.support.conversation.transitions import (
    DOCUMENT,
    MEMBERS_DOING,
    NOW,
    OTHERS_DOING,
    STATES,
    Doing,
    State,
    Who,
    document,
    outcome,
)


def _said() -> dict[tuple[str, str, str], str]:
    """What the document says, by state, action and who; of what no member does, who is ""."""
    said: dict[tuple[str, str, str], str] = {}
    heading, columns = "", [""]
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("### "):
            heading, columns = line.removeprefix("### ").lower(), []
        elif heading and line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not columns:
                columns = cells
            elif heading == "what no member does":
                said |= {(c, cells[0], ""): s for c, s in zip(columns, cells, strict=True)}
            else:
                said |= {(heading, cells[0], c): s for c, s in zip(columns, cells, strict=True)}
    return said


SAID = _said()
HELD = ("active", "active, offered", "done")


def _cells() -> Iterator[tuple[State, Doing, Who | None]]:
    for state in STATES:
        yield from ((state, doing, who) for doing in MEMBERS_DOING for who in state.people)
        yield from ((state, doing, None) for doing in OTHERS_DOING)


@pytest.mark.parametrize(
    ("state", "doing", "who"),
    [
        pytest.param(*cell, id=f"{cell[0].name}/{cell[1].name}/{cell[2].name if cell[2] else ''}")
        for cell in _cells()
    ],
)
def test_a_cell_is_as_the_document_says(state: State, doing: Doing, who: Who | None) -> None:
    assert outcome(state, doing, who) == SAID[state.name, doing.name, who.name if who else ""]


def test_the_document_is_what_the_tests_generate() -> None:
    wanted = "run python -m tests.support.conversation.transitions"
    assert DOCUMENT.read_text() == document(), wanted


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_state_is_the_one_that_it_is_called(state: State) -> None:
    case, none = state.given().at(NOW).case, state.name == "no case"

    assert case.state == ("done" if none else state.name.split()[0].rstrip(","))
    assert (case.number == NO_CASE) == none
    assert (case.offer is not None) == ("offered" in state.name)
    assert (case.responsible is not None) == (state.name in HELD)
