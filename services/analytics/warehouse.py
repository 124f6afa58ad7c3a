"""ClickHouse, on a server or in this process (chDB), through one driver.

The driver is synchronous: each call goes to a thread. Reference for the ``chdb://`` scheme:
https://clickhouse.com/docs/integrations/python (clickhouse-connect 1.x).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlparse

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from libs.runtime.away import ServerAway
from services.analytics.metrics import INSERT_SECONDS, ROWS

DEFAULT_DATABASE: Final = "parley"
_EMBEDDED_THREADS: Final = 2  # the engine shares the machine with the whole suite

# Answers of a server that is there and overloaded or losing its own servers, by ClickHouse's
# numbers (src/Common/ErrorCodes.cpp): TIMEOUT_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES,
# NETWORK_ERROR, MEMORY_LIMIT_EXCEEDED, TABLE_IS_READ_ONLY, TOO_MANY_PARTS, KEEPER_EXCEPTION.
_TRANSIENT_CODES: Final = frozenset({159, 202, 210, 241, 242, 252, 999})
_UNKNOWN_DATABASE: Final = 81

Row = dict[str, Any]


class WarehouseUnavailable(ServerAway):
    """ClickHouse does not answer, or cannot now."""


class Warehouse:
    """One database of ClickHouse. Errors of every call: WarehouseUnavailable, DatabaseError."""

    def __init__(self, client: Client, *, is_embedded: bool) -> None:
        self._client = client
        # A chDB connection serves one call at a time: waiting here costs no thread.
        self._turn: contextlib.AbstractAsyncContextManager[object] = (
            asyncio.Lock() if is_embedded else contextlib.nullcontext()
        )

    async def command(self, sql: str) -> None:
        await self._call(lambda: self._client.command(sql))

    async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """Every row by column name. ``parameters`` are the query's ``{name:Type}``."""
        result = await self._call(
            lambda: self._client.query(sql, parameters=dict(parameters or {}))
        )
        return list(result.named_results())

    async def insert(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]], token: str = ""
    ) -> None:
        """One insert, durable on return; the same ``token`` again within a while adds nothing."""
        settings: dict[str, Any] = {"async_insert": 0}
        if token:
            settings["insert_deduplication_token"] = f"{table} {token}"
        with INSERT_SECONDS.labels(table).time():
            await self._call(
                lambda: self._client.insert(table, rows, column_names=columns, settings=settings)
            )
        ROWS.labels(table).inc(len(rows))

    async def check(self) -> None:
        """For readiness."""
        await self.rows("SELECT 1")

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    async def _call[T](self, call: Callable[[], T]) -> T:
        async with self._turn:
            try:
                return await asyncio.to_thread(call)
            except OperationalError as error:
                raise WarehouseUnavailable(f"ClickHouse does not answer: {error}") from error
            except DatabaseError as error:
                if error.code in _TRANSIENT_CODES:
                    raise WarehouseUnavailable(f"ClickHouse cannot now: {error}") from error
                raise


def is_embedded(dsn: str) -> bool:
    return urlparse(dsn).scheme == "chdb"


def database_of(dsn: str, database: str | None) -> str:
    """The database to use: the one given, else the one in a server's address, else ``parley``."""
    in_address = "" if is_embedded(dsn) else urlparse(dsn).path.strip("/")
    return database or in_address or DEFAULT_DATABASE


async def open_warehouse(dsn: str, database: str) -> Warehouse:
    """Connect; ``database`` is made where it is missing. Errors: WarehouseUnavailable."""
    embedded = is_embedded(dsn)

    # Without it the driver allows a client one query at a time.
    concurrent: dict[str, Any] = {} if embedded else {"autogenerate_session_id": False}

    def connect(database: str) -> Client:
        return clickhouse_connect.get_client(
            dsn=dsn,
            database=database,
            tz_mode="aware",
            **concurrent,
            settings={"max_threads": _EMBEDDED_THREADS} if embedded else {},
        )

    def connect_to_own() -> Client:
        # Who may not make one finds it made: a server's account is asked for no more than it has.
        if not embedded:
            try:
                return connect(database)
            except DatabaseError as error:
                if error.code != _UNKNOWN_DATABASE:
                    raise
        with connect("default") as client:
            client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
            return connect(database)

    try:
        client = await asyncio.to_thread(connect_to_own)
    except OperationalError as error:
        raise WarehouseUnavailable(f"ClickHouse does not answer: {error}") from error
    return Warehouse(client, is_embedded=embedded)
