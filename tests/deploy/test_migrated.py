"""That nothing of a build starts before its migration, and that one migrates at a time."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from pymongo import MongoClient

from libs.runtime.settings import MongoSettings, SettingsError, load
from parley.doctor import examine_service
from parley.keys import all_keys, own_settings
from parley.migrate import migrate_all
from parley.migrated import MIGRATIONS, build, migrations


@pytest.fixture
def environment(
    kafka_bootstrap: str, kafka_namespace: str, mongodb_url: str, mongodb_name: str
) -> dict[str, str]:
    return all_keys({}) | {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "PARLEY_KAFKA_NAMESPACE": kafka_namespace,
        "PARLEY_MONGODB_URL": mongodb_url,
        "PARLEY_MONGODB_DATABASE": mongodb_name,
        "PARLEY_ANALYTICS_CLICKHOUSE_DSN": "chdb:///nowhere",
    }


def settings_of(environment: Mapping[str, str]) -> MongoSettings:
    names = ("PARLEY_KAFKA_BOOTSTRAP_SERVERS", "PARLEY_MONGODB_URL", "PARLEY_MONGODB_DATABASE")
    return load(MongoSettings, {name: environment[name] for name in names})


async def test_a_service_may_start_when_its_build_has_migrated(
    environment: dict[str, str],
) -> None:
    own = own_settings("routing", environment)

    before = await examine_service("routing", own)
    await migrate_all(environment)

    topics, itself = before
    assert "parley.directory" in topics
    assert itself == "this build has not migrated: run `parley migrate`"
    assert await examine_service("routing", own) == []


async def test_another_build_waits_for_its_own_migration(
    environment: dict[str, str], mongodb_url: str, mongodb_name: str
) -> None:
    own = own_settings("routing", environment)
    await migrate_all(environment)
    with MongoClient[dict[str, object]](mongodb_url) as client:
        client[mongodb_name][MIGRATIONS].update_many({}, {"$set": {"at": None}})
        client[mongodb_name][MIGRATIONS].delete_one({"_id": build()})

    assert await examine_service("routing", own) == [
        "this build has not migrated: run `parley migrate`"
    ]


async def test_a_missing_setting_is_named_before_any_server_is_asked(
    environment: dict[str, str],
) -> None:
    own = own_settings("routing", environment)
    del own["PARLEY_ROUTING_SIGNING_KEY"]

    with pytest.raises(SettingsError, match="PARLEY_ROUTING_SIGNING_KEY is missing"):
        await examine_service("routing", own | {"PARLEY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})


async def test_a_server_that_is_away_is_named(environment: dict[str, str]) -> None:
    own = own_settings("analytics", environment) | {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PARLEY_ANALYTICS_CLICKHOUSE_DSN": "clickhouse://parley:wrong@127.0.0.1:1/parley",
    }

    kafka, clickhouse = await examine_service("analytics", own)

    assert "Kafka does not answer at 127.0.0.1:1" in kafka
    assert "ClickHouse does not answer" in clickhouse
    assert "wrong" not in clickhouse


async def test_of_two_migrations_one_waits(environment: dict[str, str]) -> None:
    inside: list[str] = []

    async def migrating(name: str) -> None:
        async with migrations(settings_of(environment)) as known, known.alone():
            inside.append(name)
            await asyncio.sleep(0)
            assert inside[-1] == name
            inside.append(name)

    await asyncio.gather(*(migrating(name) for name in "abc"))

    assert inside[::2] == inside[1::2]
    assert sorted(inside) == sorted("aabbcc")


async def test_a_migration_that_was_killed_holds_nobody_up_for_long(
    environment: dict[str, str], mongodb_url: str, mongodb_name: str
) -> None:
    with MongoClient[dict[str, object]](mongodb_url) as client:
        past = datetime.now(UTC) - timedelta(seconds=1)
        client[mongodb_name][MIGRATIONS].insert_one({"_id": "running", "by": "x", "until": past})

        done = await migrate_all(environment)

        assert client[mongodb_name][MIGRATIONS].find_one({"_id": "running"}) is None
    assert any(line.startswith("kafka:") for line in done)
