"""A migrated database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from services.analytics import migrate
from services.analytics.warehouse import Warehouse, open_warehouse


@pytest.fixture
async def empty(clickhouse_dsn: str, clickhouse_database: str) -> AsyncIterator[Warehouse]:
    warehouse = await open_warehouse(clickhouse_dsn, clickhouse_database)
    yield warehouse
    await warehouse.close()


@pytest.fixture
async def warehouse(empty: Warehouse) -> Warehouse:
    await migrate.apply(empty)
    return empty
