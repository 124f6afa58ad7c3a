"""The six services as processes of this machine: for `parley up`, the tests and the benchmarks."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from libs.devstack.ports import free_port, port_is_free
from libs.devstack.processes import ManagedProcess
from libs.devstack.stack import Servers
from libs.runtime.settings import SERVICES
from parley.keys import kept_keys, own_settings

READY_TIMEOUT_S: Final = 60.0
# Anybody may reach their ports; each has another one for its operator.
PUBLIC: Final = ("gateway", "ingest")
_OPERATIONS_AFTER: Final = 10
# What the services keep in folders of this machine, and the setting that says where else.
_FOLDERS: Final = {
    "attachments": "PARLEY_INGEST_STORAGE_URL",
    "anchors": "PARLEY_CONVERSATION_ANCHOR_URL",
}


def kept_folders(folder: Path, given: Mapping[str, str]) -> dict[str, Path]:
    """What the services keep in ``folder`` itself, by name: all that is not ``given`` elsewhere."""
    return {name: folder / name for name, setting in _FOLDERS.items() if setting not in given}


def service_environment(
    servers: Servers, folder: Path, ports: Mapping[str, int], given: Mapping[str, str]
) -> dict[str, str]:
    """Of all six together: each process is given what is its own. ``given`` wins."""
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    # Told by one setting, also where another service tells it on.
    ingest = given.get("PARLEY_INGEST_PUBLIC_URL", urls["ingest"])
    gateway = given.get("PARLEY_GATEWAY_PUBLIC_URL", urls["gateway"])
    kept = kept_folders(folder, given)
    environment = {_FOLDERS[name]: path.as_uri() for name, path in kept.items()} | {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": servers.kafka_bootstrap,
        "PARLEY_MONGODB_URL": servers.mongodb_url,
        "PARLEY_ANALYTICS_CLICKHOUSE_DSN": servers.clickhouse_dsn,
        "PARLEY_INGEST_PUBLIC_URL": ingest,
        "PARLEY_INGEST_CONVERSATION_URL": urls["conversation"],
        "PARLEY_GATEWAY_PUBLIC_URL": gateway,
        "PARLEY_GATEWAY_INGEST_PUBLIC_URL": ingest,
        "PARLEY_NOTIFY_CONSOLE_URL": gateway,
        # All of it runs on this machine, and so may the CRM that is tried with it.
        "PARLEY_WEBHOOKS_ALLOW_PRIVATE": "true",
    }
    for name in PUBLIC:
        environment[f"PARLEY_{name.upper()}_OPERATIONS_PORT"] = str(ports[_operations(name)])
    for name in SERVICES:
        environment[f"PARLEY_{name.upper()}_PORT"] = str(ports[name])
        if name != "gateway":
            environment[f"PARLEY_GATEWAY_{name.upper()}_URL"] = urls[name]
    return environment | kept_keys(folder) | dict(given)


def service_ports(first: int | None) -> dict[str, int]:
    """``first`` and the five after it, and the operators' ten after the public ones', where all
    are free; else free ones."""
    operations = [_operations(name) for name in PUBLIC]
    if first is not None:
        ports = {name: first + number for number, name in enumerate(("gateway", *SERVICES[:-1]))}
        ports |= {_operations(name): ports[name] + _OPERATIONS_AFTER for name in PUBLIC}
        if all(port_is_free(port) for port in ports.values()):
            return ports
    taken: dict[str, int] = {}
    for name in (*SERVICES, *operations):
        port = free_port()
        while port in taken.values():
            port = free_port()
        taken[name] = port
    return taken


class Suite:
    """The services over given servers. Logs go to ``folder/logs``; as a context manager it is
    started on entering, and all of it stopped on leaving.

    ``commands`` replaces how a service is started (a crash test's own composition, say).
    """

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        *,
        first_port: int | None = None,
        settings: Mapping[str, str] | None = None,
        commands: Mapping[str, list[str]] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.ports = service_ports(first_port)
        self.settings = service_environment(servers, folder, self.ports, settings or {})
        self._say = say
        outside = {n: v for n, v in os.environ.items() if not n.startswith("PARLEY_")}
        parley = [sys.executable, "-m", "parley"]
        self.processes = {
            name: ManagedProcess(
                name,
                (commands or {}).get(name, [*parley, "serve", name]),
                log_path=folder / "logs" / f"{name}.log",
                ready=is_ready(self.url(name)),
                environment=outside | own_settings(name, self.settings),
            )
            for name in SERVICES
        }

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def operations_url(self, service: str) -> str:
        """Where the service has its metrics and says what readiness it lacks."""
        name = _operations(service) if service in PUBLIC else service
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self) -> None:
        """Start all and wait until each is ready. Errors: ProcessFailed; then nothing runs."""
        try:
            for process in self.processes.values():
                self._say(f"starting {process.name}")
                process.start()
            for process in self.processes.values():
                process.wait_ready(READY_TIMEOUT_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all at once: each finishes what it has in hand, and what it cannot is not lost."""
        with ThreadPoolExecutor(len(self.processes)) as stopping:
            for stopped in [stopping.submit(process.stop) for process in self.processes.values()]:
                stopped.result()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()


def _operations(service: str) -> str:
    return f"{service} operations"


def is_ready(url: str) -> Callable[[], bool]:
    """Asks the service at ``url`` whether it is ready. Errors: OSError where it does not answer."""

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310  # our own
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False

    return ready
