"""The schema: numbered plain SQL files, each applied once and never edited afterwards."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from services.analytics.settings import WarehouseSettings
from services.analytics.warehouse import Warehouse, database_of, is_embedded, open_warehouse

log = structlog.get_logger()

FOLDER: Final = Path(__file__).parent / "migrations"
_LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    name       String,
    digest     String COMMENT 'SHA-256 of the file as it was applied',
    applied_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY name
"""


class SchemaError(Exception):
    """The database and this version of Parley do not agree; the text says how."""


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """A statement ends with a semicolon at the end of a line."""
        return [part.strip() for part in self.sql.split(";\n") if part.strip()]


def migrations(folder: Path = FOLDER) -> list[Migration]:
    return [Migration(path.name, path.read_text()) for path in sorted(folder.glob("*.sql"))]


async def migrate(settings: WarehouseSettings) -> str:
    """Bring a server's schema up to date; what was done, in words.

    An embedded engine belongs to the running service, which migrates it at its start: here
    nothing is done. Errors: SchemaError, WarehouseUnavailable.
    """
    dsn = settings.analytics_clickhouse_dsn.get_secret_value()
    if is_embedded(dsn):
        return "ClickHouse is embedded, the service migrates it when it starts"
    warehouse = await open_warehouse(dsn, database_of(dsn, settings.analytics_clickhouse_database))
    try:
        applied = await apply(warehouse)
        return f"applied {', '.join(applied)}" if applied else "ClickHouse is up to date"
    finally:
        await warehouse.close()


async def apply(warehouse: Warehouse, wanted: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing, in order. A file can be repeated after a crash in its middle."""
    await warehouse.command(_LEDGER)
    missing = await pending(warehouse, wanted)
    for migration in missing:
        for statement in migration.statements:
            await warehouse.command(statement)
        await warehouse.insert(
            "schema_migrations",
            ["name", "digest", "applied_at"],
            [[migration.name, migration.digest, datetime.now(UTC)]],
        )
        log.info("migration applied", migration=migration.name)
    return [migration.name for migration in missing]


async def pending(
    warehouse: Warehouse, wanted: Sequence[Migration] | None = None
) -> list[Migration]:
    """What is not applied yet. Errors: SchemaError (an applied file was edited since)."""
    wanted = migrations() if wanted is None else wanted
    if not await warehouse.rows("SHOW TABLES LIKE 'schema_migrations'"):
        return list(wanted)
    ledger = await warehouse.rows("SELECT name, digest FROM schema_migrations FINAL")
    applied = {row["name"]: row["digest"] for row in ledger}
    for migration in wanted:
        if applied.get(migration.name, migration.digest) != migration.digest:
            raise SchemaError(f"{migration.name} was edited after it had been applied")
    return [migration for migration in wanted if migration.name not in applied]
