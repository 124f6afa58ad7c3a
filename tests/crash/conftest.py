"""The suite over servers of its own, because they are killed; a team at work for each test."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from libs.devstack import Devstack
from parley.doubles.bot_api import BotApiDouble
from parley.migrate import migrate_all
from parley.suite import Suite
from tests.support.crash.gate import Gate
from tests.support.crash.load import Team, hire_team
from tests.support.crash.parts import Parts
from tests.support.crash.world import World
from tests.support.e2e.team import Company

CUSTOMERS = 12
STOPPABLE = ("conversation", "routing")


@pytest.fixture(scope="session")
def crash_devstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devstack]:
    with Devstack(tmp_path_factory.mktemp("crash-servers")) as devstack:
        yield devstack


@pytest.fixture(scope="session")
async def world(
    crash_devstack: Devstack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("crash-suite")
    async with BotApiDouble() as telegram, Gate(telegram.url) as gate:
        suite = Suite(
            crash_devstack.servers,
            folder,
            settings={
                "PARLEY_INGEST_TELEGRAM_API_URL": gate.url,
                "PARLEY_GATEWAY_REQUESTS_PER_SECOND_OF_TOKEN": "1000000",
                "PARLEY_GATEWAY_REQUESTS_PER_SECOND_OF_WORKSPACE": "1000000",
                # Anchors are written while parts are killed, and no test waits a minute for one.
                "PARLEY_CONVERSATION_ANCHOR_INTERVAL_SECONDS": "2",
            },
            commands={name: _stoppable(name, folder) for name in STOPPABLE},
        )
        parts = Parts(suite, crash_devstack, folder)
        await migrate_all(suite.settings)
        try:
            await parts.start_all()
            yield World(suite, parts, telegram, gate)
        finally:
            await parts.stop_all()


def _stoppable(name: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "tests.support.crash.stop_at", name, str(folder / f"{name}.stop")]


@pytest.fixture
async def team(world: World) -> AsyncIterator[Team]:
    """In a workspace of the test's own, with all parts there."""
    await world.parts.restart_dead()
    async with AsyncExitStack() as stack:
        company = await Company.opened(world.suite, world.telegram, stack)
        yield await hire_team(company, CUSTOMERS)
