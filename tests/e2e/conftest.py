"""The whole suite as its own processes, once for all end-to-end tests; a workspace for each."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from libs.devstack import Servers
from parley.console import built_console
from parley.doubles.bot_api import BotApiDouble
from parley.migrate import migrate_all
from parley.suite import Suite
from tests.support.e2e.team import Company


@pytest.fixture(scope="session")
async def telegram() -> AsyncIterator[BotApiDouble]:
    async with BotApiDouble() as double:
        yield double


@pytest.fixture(scope="session")
def console() -> Path:
    """The console, built."""
    return built_console()


@pytest.fixture(scope="session")
async def suite(
    servers: Servers,
    telegram: BotApiDouble,
    console: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Suite]:
    unique = uuid.uuid4().hex[:8]
    suite = Suite(
        servers,
        tmp_path_factory.mktemp("suite"),
        settings={
            "PARLEY_INGEST_TELEGRAM_API_URL": telegram.url,
            "PARLEY_KAFKA_NAMESPACE": f"e2e{unique}.",
            "PARLEY_MONGODB_DATABASE": f"test_e2e_{unique}",
            "PARLEY_GATEWAY_CONSOLE_FOLDER": str(console),
        },
    )
    await migrate_all(suite.settings)
    await asyncio.to_thread(suite.start)
    yield suite
    await asyncio.to_thread(suite.stop)


@pytest.fixture
async def company(suite: Suite, telegram: BotApiDouble) -> AsyncIterator[Company]:
    """A workspace of the test's own with its owner signed in."""
    async with AsyncExitStack() as stack:
        yield await Company.opened(suite, telegram, stack)
