"""Everything is killed in its turn, under load; nothing is lost, doubled or out of order."""

import os

import pytest

from libs.eventstore.outbox import Step
from libs.runtime.settings import SERVICES
from tests.support.crash.invariants import assert_whole
from tests.support.crash.load import PATIENCE_S, Load, Team
from tests.support.crash.parts import answers_leave
from tests.support.crash.screen import Screen
from tests.support.crash.world import World

pytestmark = [pytest.mark.crash, pytest.mark.servers, pytest.mark.timeout(600)]

# Longer than a publish waits for its acknowledgement, and than a driver looks for its server.
SERVER_AWAY_S = 12.0
# So long that what waits to be published is given up in the meantime. Others by hand:
# `make crash-kafka` tries 3, 30 and 90 s.
KAFKA_AWAY_S = [float(s) for s in os.environ.get("PARLEY_TEST_KAFKA_AWAY_S", "18").split(",")]


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


@pytest.mark.parametrize("away_s", KAFKA_AWAY_S)
async def test_kafka_may_end_in_order_and_be_away(world: World, team: Team, away_s: float) -> None:
    async with Screen(team.company.owner) as screen:
        async with Load(team, seed=3, patience_s=PATIENCE_S + away_s).running() as load:
            await answers_leave(load, team.bot.sent)
            await world.parts.stop("kafka", away_s)
            await answers_leave(load, team.bot.sent)
            for _ in range(2):  # as when each broker is restarted in its turn
                await world.parts.stop("kafka", 0)
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
