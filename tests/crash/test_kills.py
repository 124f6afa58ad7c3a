"""Everything is killed in its turn, under load; nothing is lost, doubled or out of order."""

import pytest

from libs.eventstore.outbox import Step
from libs.runtime.settings import SERVICES
from tests.crash.conftest import World
from tests.crash.invariants import assert_whole
from tests.crash.load import Load, Team
from tests.crash.parts import answers_leave
from tests.crash.screen import Screen

pytestmark = [pytest.mark.crash, pytest.mark.servers, pytest.mark.timeout(600)]

# Longer than a publish waits for its acknowledgement, and than a driver looks for its server.
SERVER_AWAY_S = 12.0


async def test_any_part_may_be_killed_at_any_moment(world: World, team: Team) -> None:
    async with Screen(team.company.owner) as screen:
        async with Load(team, seed=1).running() as load:
            await answers_leave(load, team.bot.sent)
            for service in SERVICES:
                await world.parts.crash(service)
                await answers_leave(load, team.bot.sent)
            for server in ("kafka", "mongodb"):
                await world.parts.crash(server, SERVER_AWAY_S)
                await answers_leave(load, team.bot.sent)

        await assert_whole(team, screen)


@pytest.mark.parametrize("step", Step)
async def test_a_process_may_stop_after_any_step_of_its_outbox(
    world: World, team: Team, step: Step
) -> None:
    async with Screen(team.company.owner) as screen:
        async with Load(team, seed=2).running() as load:
            await answers_leave(load, team.bot.sent)
            world.parts.order_stop("conversation", step, times=3)
            world.parts.order_stop("routing", step, times=1)
            await world.parts.stopped_by_order("conversation", "routing")
            await answers_leave(load, team.bot.sent)

        await assert_whole(team, screen)
