"""Many take one case in the same moment."""

import asyncio
from dataclasses import replace

import pytest

from services.conversation.metrics import CONFLICTS
from tests.support.conversation.world import World, serving

pytestmark = pytest.mark.servers

MEMBERS = 50
ROUNDS = 200


async def test_of_50_who_take_at_once_one_wins_and_49_are_told_who_200_times(
    world: World,
) -> None:
    names = {await world.member(f"Agent{n}"): f"Agent{n}" for n in range(MEMBERS)}
    members = list(names)
    threads = [str(number) for number in range(ROUNDS)]
    # given two replicas: inside one, commands wait for each other, between two only the store's
    # lock on the version decides
    other = replace(world)
    conflicts_before = _conflicts()
    async with serving(world), serving(other):
        await asyncio.gather(world.settled(), other.settled())
        await world.receive(*(world.inbound(thread, 1) for thread in threads))
        for round_, thread in enumerate(threads):
            conversation_id = world.conversation_id(thread)
            await asyncio.gather(
                world.seen(members[0], conversation_id), other.seen(members[0], conversation_id)
            )
            # when all take, each time another one first
            first = round_ % MEMBERS
            takers = [*members[first:], *members[:first]]
            path = f"/v1/conversations/{conversation_id}/take"
            answers = await asyncio.gather(
                *(
                    (world if n % 2 else other).call(member, "POST", path)
                    for n, member in enumerate(takers)
                )
            )
            # then one has it, and every other is told who
            [winner] = [m for m, a in zip(takers, answers, strict=True) if a.status == 200]
            refusals = [answer for answer in answers if answer.status == 409]
            assert len(refusals) == MEMBERS - 1
            for refusal in refusals:
                assert refusal.body["type"] == "urn:parley:problem:case-taken"
                assert refusal.body["member_id"] == winner
                assert refusal.body["detail"].startswith(f"{names[winner]} took this case at ")
            view = await world.view(winner, conversation_id)
            assert view.body["case"]["responsible"] == winner
    # The two really were at it together: the store refused some of them, not only the rule.
    assert _conflicts() > conflicts_before


def _conflicts() -> float:
    [metric] = CONFLICTS.collect()
    return metric.samples[0].value
