"""What a role may not do to a case is refused before anybody is asked, whatever the case."""

import pytest

from libs.events.actions import Action
from libs.events.directory import Role
from services.gateway.api.cases import COMMANDS
from services.routing.permissions import PERMISSIONS
from tests.services.gateway.conftest import Member, Team

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("path", COMMANDS)
async def test_a_command_is_for_the_roles_whose_action_it_is(
    path: str, staff: tuple[Team, dict[Role, Member]]
) -> None:
    action: Action = COMMANDS[path]
    refused = {}
    for role, member in staff[1].items():
        answer = await member.api("POST", f"/v1/conversations/cnv_1/{path}", {})
        # Behind this gateway nobody answers for conversations: who is let through meets that.
        assert answer.status in (403, 503), answer
        refused[role] = answer.status == 403

    assert refused == {role: action not in PERMISSIONS[role] for role in staff[1]}
