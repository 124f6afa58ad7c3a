"""Ingest is killed while it sends: nothing is ever sent a second time, and the end is told."""

from typing import Any

import pytest

from tests.support.crash.gate import Where
from tests.support.crash.load import Team
from tests.support.crash.world import World
from tests.support.eventually import eventually

pytestmark = [pytest.mark.crash, pytest.mark.servers]

# The attempt's lease has to lapse first.
UNCERTAIN_WITHIN_S = 40


@pytest.mark.parametrize(("where", "times"), [("before", 0), ("after", 1)])
async def test_what_was_being_sent_is_uncertain_and_never_sent_again(
    world: World, team: Team, where: Where, times: int
) -> None:
    """Before and after the platform took it; the attempt was recorded in either case."""
    customer = team.customers[0]
    await team.company.writes(team.bot, customer.person, "Hello")
    agent = team.agents[0]
    row = await team.company.case_of(customer.name, client=agent.client)
    path = f"/v1/conversations/{row['conversation_id']}"
    await agent.client.post(f"{path}/take")

    # Given ingest stops in the middle of a call
    world.gate.hold_next_send(where)
    first = await agent.client.post(f"{path}/messages", text="The first")
    await world.gate.holding.wait()
    second = await agent.client.post(f"{path}/messages", text="The second")
    await world.parts.crash("ingest")

    # Then the first is uncertain, and the second, never begun, is sent
    async def ended() -> dict[str, Any] | None:
        items = await team.company.timeline(row["conversation_id"])
        states = {item["id"]: item["delivery"]["state"] for item in items if item.get("delivery")}
        return states if "queued" not in states.values() else None

    states = await eventually(ended, within_seconds=UNCERTAIN_WITHIN_S)
    assert states == {first["item"]["id"]: "uncertain", second["item"]["id"]: "sent"}
    texts = [sent.text for sent in team.bot.sent]
    assert texts == ["The first"] * times + ["The second"]
