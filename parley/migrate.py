"""``parley migrate``: everything the services need to find on their servers."""

import os
from collections.abc import Mapping

from libs.runtime.kafka_access import check_access
from libs.runtime.settings import SERVICES, MongoSettings, Settings, load
from libs.runtime.topics import create_topics
from parley.migrated import migrations
from parley.services import service_spec


async def migrate_all(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What was done, a line each. Of two at once, one waits for the other.

    Errors: SettingsError, KafkaRefused, and what the servers' drivers raise.
    """
    settings = load(Settings, environment)
    await check_access(settings.kafka)
    async with migrations(load(MongoSettings, environment)) as known, known.alone():
        done = await _migrate(settings, environment)
        await known.done()
    return done


async def _migrate(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    made = await create_topics(
        settings.kafka,
        settings.kafka_namespace,
        replication_factor=settings.kafka_replication_factor,
    )
    done = [f"kafka: made {', '.join(made)}" if made else "kafka: every topic is there"]
    for name in SERVICES:
        migration = service_spec(name).migration
        if migration is not None:
            done.append(f"{name}: {await migration.run(load(migration.settings, environment))}")
    return done
