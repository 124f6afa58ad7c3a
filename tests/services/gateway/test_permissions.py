"""What a role may not do is refused before anybody is asked, whatever the case or customer."""

import pytest

from libs.events.actions import Action
from libs.events.directory import Role
from services.gateway.api import customers
from services.gateway.api.cases import COMMANDS
from services.routing.domain.permissions import PERMISSIONS
from tests.support.gateway.suite import Member, Team

pytestmark = pytest.mark.servers


CASES = {f"/v1/conversations/cnv_1/{path}": action for path, action in COMMANDS.items()}
CUSTOMERS = {f"/v1/customers/cus_1/{path}": a for path, a in customers.COMMANDS.items()}


@pytest.mark.parametrize("path", [*CASES, *CUSTOMERS])
async def test_a_command_is_for_the_roles_whose_action_it_is(
    path: str, staff: tuple[Team, dict[Role, Member]]
) -> None:
    action: Action = (CASES | CUSTOMERS)[path]
    refused = {}
    for role, member in staff[1].items():
        answer = await member.api("POST", path, {})
        # Behind this gateway nobody answers for conversations: who is let through meets that.
        assert answer.status in (403, 503), answer
        refused[role] = answer.status == 403

    assert refused == {role: action not in PERMISSIONS[role] for role in staff[1]}
