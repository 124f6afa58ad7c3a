import socket

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from services.analytics.warehouse import Warehouse, WarehouseUnavailable, open_warehouse


async def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(WarehouseUnavailable, match="does not answer"):
        await open_warehouse(f"clickhouse://user:pw@127.0.0.1:{port}/parley", "parley")


async def test_a_query_that_is_wrong_is_not_taken_for_an_outage(warehouse: Warehouse) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        await warehouse.rows("SELECT * FROM nothing")


async def test_the_same_token_again_adds_nothing(warehouse: Warehouse) -> None:
    await warehouse.command(
        "CREATE TABLE numbers (x UInt8) ENGINE = MergeTree ORDER BY x"
        " SETTINGS non_replicated_deduplication_window = 10"
    )

    for token in ("topic:0:1-2", "topic:0:1-2", "topic:0:3-4"):
        await warehouse.insert("numbers", ["x"], [[1], [2]], token)

    assert await warehouse.rows("SELECT count() AS n FROM numbers") == [{"n": 4}]
