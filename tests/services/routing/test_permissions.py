"""The permission table, cell by cell: the table below is written by hand, on purpose."""

import pytest

from libs.events.actions import Action
from libs.events.directory import Role
from services.routing.permissions import PERMISSIONS, actions_of

# Columns: read, take, answer, note, mark, close, reopen, manage_cases, see_metrics,
# manage_directory.
TABLE = {
    "owner": "YYYYYYYYYY",
    "admin": "YYYYYYYYYY",
    "operator": "YYYYYYY---",
    "moderator": "Y--YYY----",
    "analyst": "Y-------Y-",
    "read_only": "Y---------",
}
COLUMNS = (
    "read",
    "take",
    "answer",
    "note",
    "mark",
    "close",
    "reopen",
    "manage_cases",
    "see_metrics",
    "manage_directory",
)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_cell(role: Role, action: Action) -> None:
    expected = TABLE[role][COLUMNS.index(action)] == "Y"

    assert (action in PERMISSIONS[role]) is expected
    assert (action in actions_of(role)) is expected
