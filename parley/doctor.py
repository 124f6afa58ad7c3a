"""``parley doctor``: what is wrong with the settings and the servers, in words."""

import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from libs.events.topics import topic_specs
from libs.runtime.kafka_access import KafkaRefused, check_access, client_options
from libs.runtime.mongo import PyMongoError, check_mongo, mongo_client
from libs.runtime.settings import SERVICES, MongoSettings, Settings, SettingsError, load
from parley.migrated import migrations
from parley.services import service_spec
from parley.set_aside import told_of_set_aside
from services.analytics.migrate import SchemaError, pending
from services.analytics.settings import WarehouseSettings
from services.analytics.warehouse import (
    WarehouseUnavailable,
    database_of,
    is_embedded,
    open_warehouse,
)

# Source: core.telegram.org/bots/api#setwebhook.
TELEGRAM_PORTS: Final = (443, 80, 88, 8443)
_PUBLIC_SECONDS: Final = 10.0


async def examine_service(name: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """What keeps this service from starting, in the environment that it is given: a sentence for
    each server that does not answer or is not migrated to this build; empty when nothing does.

    Errors: SettingsError.
    """
    settings = load(service_spec(name).settings, environment)
    findings = await _kafka(settings)
    if isinstance(settings, MongoSettings):
        findings += await _mongo(settings) or await _build(settings)
    if isinstance(settings, WarehouseSettings):
        findings += await _warehouse(settings)
    return findings


async def examine(environment: Mapping[str, str] = os.environ) -> list[str]:
    """One sentence for each thing that is wrong; empty when nothing is."""
    findings: list[str] = []
    loaded: list[Settings] = []
    for name in SERVICES:
        try:
            loaded.append(load(service_spec(name).settings, environment))
        except SettingsError as error:
            findings += [f"{name}: {sentence}" for sentence in str(error).split("; ")]
    if loaded:
        findings += await _kafka(loaded[0])
    with_mongo = [settings for settings in loaded if isinstance(settings, MongoSettings)]
    if with_mongo:
        findings += await _mongo(with_mongo[0])
    if len(loaded) == len(SERVICES) and not findings:
        findings += await told_of_set_aside(with_mongo[0])
    return findings


async def examine_public_url(url: str) -> list[str]:
    """What keeps Telegram from reaching ingest at ``url``, as far as it is seen from here: a
    sentence for each; empty when nothing does. Needs no settings."""
    parts = urlsplit(url)
    findings = []
    if parts.scheme != "https":
        findings.append(f"{url} is not https, and Telegram calls nothing else")
    elif (parts.port or 443) not in TELEGRAM_PORTS:
        ports = ", ".join(map(str, TELEGRAM_PORTS))
        findings.append(f"{url} has port {parts.port}; Telegram calls {ports} only")
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PUBLIC_SECONDS)) as http,
            http.get(f"{url.rstrip('/')}/healthz", allow_redirects=False) as answer,
        ):
            if (answer.status, await answer.text(errors="replace")) != (200, "ok"):
                findings.append(
                    f"{url} leads elsewhere than to ingest: /healthz is answered {answer.status}"
                )
    except aiohttp.ClientConnectorCertificateError as error:
        findings.append(f"{url} shows a certificate that is not trusted: {error.certificate_error}")
    except (aiohttp.ClientError, TimeoutError) as error:
        findings.append(f"{url} is not reached: {error or type(error).__name__}")
    return findings


async def _kafka(settings: Settings) -> list[str]:
    admin = AIOKafkaAdminClient(**client_options(settings.kafka))
    try:
        await check_access(settings.kafka)
        await admin.start()
        there = set(await admin.list_topics())
    except KafkaRefused as error:
        return [str(error)]
    except KafkaError as error:
        where = settings.kafka_bootstrap_servers
        return [f"Kafka does not answer at {where} (PARLEY_KAFKA_BOOTSTRAP_SERVERS): {error}"]
    finally:
        await admin.close()
    names = [settings.kafka_namespace + spec.name for spec in topic_specs()]
    missing = [name for name in names if name not in there]
    return [f"Kafka has no topic {', '.join(missing)}: run `parley migrate`"] if missing else []


async def _mongo(settings: MongoSettings) -> list[str]:
    client: Any = mongo_client(settings.mongodb_url.get_secret_value(), "parley-doctor")
    try:
        await check_mongo(client)
        hello = await client.admin.command("hello")
    except PyMongoError as error:
        # The driver's text names hosts and ports, never the password in the URL.
        return [f"MongoDB does not answer (PARLEY_MONGODB_URL): {error}"]
    finally:
        await client.close()
    if "setName" not in hello:
        return ["MongoDB is not a replica set, which transactions need: start it as one"]
    return []


async def _build(settings: MongoSettings) -> list[str]:
    async with migrations(settings) as known:
        return (
            [] if await known.is_done() else ["this build has not migrated: run `parley migrate`"]
        )


async def _warehouse(settings: WarehouseSettings) -> list[str]:
    dsn = settings.analytics_clickhouse_dsn.get_secret_value()
    if is_embedded(dsn):
        return []
    try:
        warehouse = await open_warehouse(
            dsn, database_of(dsn, settings.analytics_clickhouse_database)
        )
        try:
            missing = [one.name for one in await pending(warehouse)]
        finally:
            await warehouse.close()
    except WarehouseUnavailable as error:
        return [f"ClickHouse does not answer (PARLEY_ANALYTICS_CLICKHOUSE_DSN): {error}"]
    except SchemaError as error:
        return [str(error)]
    return [f"ClickHouse lacks {', '.join(missing)}: run `parley migrate`"] if missing else []
