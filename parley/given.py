"""What a person sets for ``make up``: in the environment or in ``.env``, alike on both of its ways.

Everything that is a setting of a service can be set, but for what `make up` decides itself. A name
that is neither is refused, so that nothing is set in vain.
"""

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from libs.devstack.stack import Servers
from libs.runtime.settings import PREFIX, SERVICES, SettingsError, load
from parley.services import service_spec
from parley.suite import service_environment, service_ports

# Each with the reason why it cannot be honoured.
_MADE_HERE: Final = {
    "KAFKA_BOOTSTRAP_SERVERS|MONGODB_URL|ANALYTICS_CLICKHOUSE_DSN": "it starts servers of its own",
    "ANALYTICS_CLICKHOUSE_DATABASE": "the accounts that it makes have rights in its own",
    "KAFKA_(SECURITY_PROTOCOL|SASL_MECHANISM|USERNAME|PASSWORD|CA_FILE)": (
        "it makes the accounts at the servers that it starts"
    ),
    "KAFKA_REPLICATION_FACTOR": "its Kafka is one broker",
    "HOST|.*_PORT": "it serves on this machine and chooses the ports; put a proxy before them",
    "GATEWAY_CONSOLE_FOLDER": "it builds the console",
    "GATEWAY_(?!INGEST_PUBLIC_)(?!PUBLIC_)[A-Z]+_URL|INGEST_CONVERSATION_URL": (
        "it knows where the services are"
    ),
}
_KEYS: Final = re.compile(r"PARLEY_[A-Z_]*_KEYS?")
_KEPT: Final = "it makes the keys and keeps them: in .env with Docker, else in keys.json"
# Of tools, and no service's: whoever sets one of these means another command.
_TOOLS: Final = ("PARLEY_TEST_", "PARLEY_BENCH_", "PARLEY_DEMO_")
_OWN: Final = "PARLEY_DEVSTACK_FOLDER"


class NotGiven(Exception):
    """Settings that cannot be honoured; the message names each, and says why."""


def settable() -> dict[str, frozenset[str]]:
    """Every setting that `make up` honours, with the services that know it."""
    knowing: dict[str, set[str]] = {}
    for service in SERVICES:
        for field in service_spec(service).settings.model_fields:
            knowing.setdefault(PREFIX + field.upper(), set()).add(service)
    return {
        name: frozenset(services) for name, services in knowing.items() if why_not(name) is None
    }


def given_settings(environment: Mapping[str, str], file: Path) -> dict[str, str]:
    """What is set in ``environment``, else in ``file`` (like Compose's ``.env``), by name.

    Empty counts as not set. Errors: NotGiven.
    """
    in_file = _ours(dotenv_values(file).items()) if file.is_file() else {}
    outside = _ours(environment.items())
    # The file is where Compose's own keys are kept.
    complaints = [*_complaints(outside), *_complaints(in_file, but=_KEYS)]
    for name in sorted(in_file):
        if name == _OWN or name.startswith(_TOOLS):
            complaints.append(f"{name} is read from the environment only, not from {file.name}")
    given = {n: v for n, v in (in_file | outside).items() if n in settable()}
    if not complaints:
        complaints = _wrong(given)
    if complaints:
        raise NotGiven("; ".join(complaints))
    return given


def _ours(pairs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    return {name: value for name, value in pairs if name.startswith(PREFIX) and value}


def _complaints(names: Iterable[str], but: "re.Pattern[str] | None" = None) -> list[str]:
    known = settable()
    complaints = []
    for name in sorted(names):
        if name in known or name == _OWN or name.startswith(_TOOLS):
            continue
        if but is not None and but.fullmatch(name):
            continue
        why = why_not(name)
        told = f"cannot be set for `make up`: {why}" if why else "is not a setting of Parley"
        complaints.append(f"{name} {told}")
    return complaints


def why_not(name: str) -> str | None:
    """Why a setting cannot be honoured; None of one that can."""
    if _KEYS.fullmatch(name):
        return _KEPT
    for pattern, why in _MADE_HERE.items():
        if re.fullmatch(f"{PREFIX}(?:{pattern})", name):
            return why
    return None


def _wrong(given: Mapping[str, str]) -> list[str]:
    """What the services would say to these values, before anything is started for them."""
    servers = Servers("127.0.0.1:1", "mongodb://127.0.0.1:1", "chdb:///nowhere")
    complaints: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as nowhere:
        whole = service_environment(servers, Path(nowhere), service_ports(None), given)
    for service in SERVICES:
        try:
            load(service_spec(service).settings, whole)
        except SettingsError as error:
            complaints |= dict.fromkeys(str(error).split("; "))
    return list(complaints)
