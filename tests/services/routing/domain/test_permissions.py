"""The permission table, cell by cell: the table below is written by hand, on purpose."""

import pytest

from libs.events.actions import Action
from libs.events.directory import Role
from services.routing.domain.permissions import PERMISSIONS, actions_of

ROLES = ("owner", "admin", "operator", "moderator", "analyst", "read_only")
TABLE = {
    "read": "YYYYYY",
    "take": "YYY---",
    "answer": "YYY---",
    "note": "YYYY--",
    "mark": "YYYY--",
    "assign": "YYY---",
    "transfer": "YYY---",
    "forward": "YYY---",
    "participants": "YYY---",
    "close": "YYYY--",
    "close_untaken": "YY-Y--",
    "send_to_crm": "YYY---",
    "open": "YYY---",
    "reopen": "YYY---",
    "edit_customers": "YYY---",
    "block_customers": "YYYY--",
    "record_activities": "YYY---",
    "manage_cases": "YY----",
    "erase": "YY----",
    "see_metrics": "YY--Y-",
    "manage_directory": "YY----",
    "manage_owners": "Y-----",
    "audit": "YY----",
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_cell(role: Role, action: Action) -> None:
    expected = TABLE[action][ROLES.index(role)] == "Y"

    assert (action in PERMISSIONS[role]) is expected
    assert (action in actions_of(role)) is expected
