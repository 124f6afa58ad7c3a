"""``parley migrate``: everything the services need to find on their servers."""

import os
from collections.abc import Mapping

from libs.runtime.settings import SERVICES, Settings, load
from libs.runtime.topics import create_topics
from parley.services import service_spec


async def migrate_all(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What was done, a line each. Errors: SettingsError, and what the servers' drivers raise."""
    settings = load(Settings, environment)
    made = await create_topics(
        settings.kafka_bootstrap_servers,
        settings.kafka_namespace,
        replication_factor=settings.kafka_replication_factor,
    )
    done = [f"kafka: made {', '.join(made)}" if made else "kafka: every topic is there"]
    for name in SERVICES:
        migration = service_spec(name).migration
        if migration is not None:
            done.append(f"{name}: {await migration.run(load(migration.settings, environment))}")
    return done
