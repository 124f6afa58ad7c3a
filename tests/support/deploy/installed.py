"""An overlay's services as processes of this machine, with the environment of their manifests."""

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

from libs.devstack import ManagedProcess, Servers
from libs.runtime.settings import SERVICES
from parley.keys import MIGRATE, write_secrets
from parley.suite import PUBLIC, is_ready, service_ports
from tests.support.deploy.kubernetes import Manifest, container_of, of_kind, settings_of

READY_WITHIN_S: Final = 90.0
# The devstack's Kafka has no accounts.
_ACCOUNT: Final = ("PARLEY_KAFKA_SECURITY_PROTOCOL", "PARLEY_KAFKA_USERNAME")


class Installed:
    """The six services of rendered manifests, each with what its own ConfigMap and secret hold.

    Only addresses are others than in the cluster: those of the stores, with the names there that
    are this installation's own, of the services, and of the collector.
    """

    def __init__(
        self,
        manifests: Sequence[Manifest],
        servers: Servers,
        folder: Path,
        collector_url: str,
        unique: str,
    ) -> None:
        ports = service_ports(None)
        self.urls = {name: f"http://127.0.0.1:{ports[name]}" for name in SERVICES}
        self.operations_urls = {
            name: f"http://127.0.0.1:{ports.get(f'{name} operations', ports[name])}"
            for name in SERVICES
        }
        stores = {
            "PARLEY_KAFKA_BOOTSTRAP_SERVERS": servers.kafka_bootstrap,
            "PARLEY_KAFKA_REPLICATION_FACTOR": "1",
            "PARLEY_KAFKA_NAMESPACE": f"installed{unique}.",
            "PARLEY_MONGODB_DATABASE": f"test_installed_{unique}",
            "PARLEY_INGEST_STORAGE_URL": (folder / "attachments").as_uri(),
            "PARLEY_CONVERSATION_ANCHOR_URL": (folder / "anchors").as_uri(),
            "PARLEY_OTLP_ENDPOINT": collector_url,
            "PARLEY_HOST": "127.0.0.1",
        }
        listening = {f"PARLEY_{name.upper()}_PORT": str(ports[name]) for name in SERVICES} | {
            f"PARLEY_{name.upper()}_OPERATIONS_PORT": str(ports[f"{name} operations"])
            for name in PUBLIC
        }
        secrets = folder / "secrets"
        write_secrets(
            secrets,
            {
                "PARLEY_MONGODB_URL": servers.mongodb_url,
                "PARLEY_ANALYTICS_CLICKHOUSE_DSN": f"chdb://{folder / 'clickhouse'}",
            },
        )
        workloads = of_kind(manifests, "Deployment") | of_kind(manifests, "Job")
        given = {name: container_of(workloads[name]) for name in (*SERVICES, MIGRATE)}
        self.environments = {
            name: self._here(settings_of(manifests, container))
            | stores
            | {key: port for key, port in listening.items() if f"_{name.upper()}_" in key}
            | _read(secrets / f"{name}.env")
            for name, container in given.items()
        }
        self.cli = self.environments[MIGRATE] | _read(secrets / "cli.env")
        outside = {n: v for n, v in os.environ.items() if not n.startswith("PARLEY_")}
        self._processes = [
            ManagedProcess(
                name,
                [sys.executable, "-m", "parley", *given[name]["args"]],
                log_path=folder / "logs" / f"{name}.log",
                ready=is_ready(self.urls[name]),
                environment=outside | self.environments[name],
            )
            for name in SERVICES
        ]

    def _here(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Where a setting is a service's address in the cluster, the one that it has here."""
        named = {value: urlsplit(value).hostname for value in settings.values() if "://" in value}
        here = {url: self.urls[host] for url, host in named.items() if host in self.urls}
        return {n: here.get(v, v) for n, v in settings.items() if n not in _ACCOUNT}

    def start(self) -> None:
        """Returns when all are ready. Errors: ProcessFailed; then none runs."""
        try:
            for process in self._processes:
                process.start()
            for process in self._processes:
                process.wait_ready(READY_WITHIN_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """All at once: each finishes what it has in hand."""
        with ThreadPoolExecutor(len(self._processes)) as stopping:
            for stopped in [stopping.submit(process.stop) for process in self._processes]:
                stopped.result()


def _read(file: Path) -> dict[str, str]:
    return {n: v for n, v in dotenv_values(file, interpolate=False).items() if v is not None}
