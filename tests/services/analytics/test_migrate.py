"""Migrations against a live engine."""

import pytest

from services.analytics import migrate
from services.analytics.facts import TABLES
from services.analytics.migrate import Migration, SchemaError
from services.analytics.warehouse import Warehouse, database_of


async def test_everything_is_applied_once(empty: Warehouse) -> None:
    first = await migrate.apply(empty)
    again = await migrate.apply(empty)

    assert first == [one.name for one in migrate.migrations()]
    assert again == []
    assert await migrate.pending(empty) == []


async def test_a_table_has_the_columns_of_its_facts_in_their_order(warehouse: Warehouse) -> None:
    for kind, table in TABLES.items():
        columns = [row["name"] for row in await warehouse.rows(f"DESCRIBE TABLE {table}")]

        assert columns == list(kind._fields)


async def test_no_column_could_hold_a_name_or_a_text(warehouse: Warehouse) -> None:
    rows = await warehouse.rows(
        "SELECT DISTINCT name FROM system.columns WHERE database = currentDatabase()"
        " AND table != 'schema_migrations'"
    )

    assert not {row["name"] for row in rows} & {"name", "text", "preview", "content", "email"}


async def test_an_applied_file_that_was_edited_is_refused(empty: Warehouse) -> None:
    made = Migration("0001_a.sql", "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = Log;\n")
    await migrate.apply(empty, [made])

    with pytest.raises(SchemaError, match=r"0001_a\.sql was edited"):
        await migrate.apply(empty, [Migration("0001_a.sql", made.sql + "-- more\n")])


async def test_a_migration_that_stopped_in_its_middle_is_finished(empty: Warehouse) -> None:
    whole = migrate.migrations()
    await empty.command(whole[0].statements[0])

    assert await migrate.apply(empty, whole) == [one.name for one in whole]


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(one.name.split("_")[0]) for one in migrate.migrations()]

    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("dsn", "given", "database"),
    [
        ("chdb:///data/analytics", None, "parley"),
        ("chdb:///data/analytics", "other", "other"),
        ("clickhouse://user:pw@host:8123", None, "parley"),
        ("clickhouse://user:pw@host:8123/figures", None, "figures"),
        ("clickhouse://user:pw@host:8123/figures", "other", "other"),
    ],
)
def test_the_database_is_the_one_given_or_the_addresss_or_parley(
    dsn: str, given: str | None, database: str
) -> None:
    assert database_of(dsn, given) == database
