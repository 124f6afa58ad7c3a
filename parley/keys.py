"""The keys of an installation: made where they are missing, each given only to whom it belongs."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo

from libs.runtime.settings import CALLERS, PREFIX, SERVICES
from libs.runtime.tokens import KEY_BYTES, public_key_of
from parley.services import service_spec

DEPLOYMENT_KEY: Final = "PARLEY_DEPLOYMENT_KEY"
VERIFYING_KEYS: Final = "PARLEY_VERIFYING_KEYS"
# What migrates has its own account at each server, like a service.
MIGRATE: Final = "migrate"


def signing_key_name(caller: str) -> str:
    return f"{PREFIX}{caller.upper()}_SIGNING_KEY"


def service_keys(there: Mapping[str, str]) -> dict[str, str]:
    """A pair for each service and for ``parley`` itself, as settings. Private ones that are
    ``there`` stay, and the public ones are theirs."""
    pairs = {name: there.get(signing_key_name(name)) or _random() for name in CALLERS}
    public = (f"{name}:{public_key_of(bytes.fromhex(key)).hex()}" for name, key in pairs.items())
    return {
        **{signing_key_name(name): key for name, key in pairs.items()},
        VERIFYING_KEYS: ",".join(public),
    }


def all_keys(there: Mapping[str, str]) -> dict[str, str]:
    """Those of the services and the deployment's, which stays for ever where it is ``there``."""
    return {DEPLOYMENT_KEY: there.get(DEPLOYMENT_KEY) or _random(), **service_keys(there)}


def kept_keys(folder: Path) -> dict[str, str]:
    """The keys of this folder's installation, made at random the first time; only ours to read.

    Those that an older version did not know are made and kept with the others.
    """
    path = folder / "keys.json"
    there: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    keys = all_keys(there)
    if keys != there:
        folder.mkdir(parents=True, exist_ok=True)
        write_secret(path, json.dumps(keys, indent=1))
    return keys


def write_secret(path: Path, text: str) -> None:
    """For our own eyes, and whole or not at all: a lost deployment's key opens nothing again."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def own_settings(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Of an environment for all, without what only other services are to know.

    What no service knows stays, so that the service refuses it.
    """
    fields = {name: set(service_spec(name).settings.model_fields) for name in SERVICES}
    others = {
        PREFIX + field.upper() for name in SERVICES for field in fields[name] - fields[service]
    } | {signing_key_name(name) for name in CALLERS if name != service}
    return {name: value for name, value in environment.items() if name not in others}


def is_secret(field: FieldInfo) -> bool:
    """Whether the setting's value may be shown to nobody."""
    return "SecretStr" in str(field)


def secrets_of(service: str) -> set[str]:
    """The names of the settings that only this service's own secret may hold; ``migrate`` has one
    too. Not all of them need be set."""
    if service == MIGRATE:
        specs = [service_spec(name) for name in SERVICES]
        classes = [spec.migration.settings for spec in specs if spec.migration]
    else:
        classes = [service_spec(service).settings]
    fields = {name: field for one in classes for name, field in one.model_fields.items()}
    secret = {name for name, field in fields.items() if is_secret(field)}
    account = {"kafka_username"} | ({"verifying_keys"} & set(fields))
    return {PREFIX + name.upper() for name in secret | account}


def write_secrets(folder: Path, environment: Mapping[str, str]) -> list[Path]:
    """Each service's own secrets as ``<service>.env`` in the folder, for an installation's store of
    secrets; keys that are in the environment or in the files already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {service: folder / f"{service}.env" for service in (*SERVICES, MIGRATE, "cli")}
    there: dict[str, str] = {}
    for path in paths.values():
        lines = path.read_text().splitlines() if path.exists() else []
        there |= dict(line.split("=", 1) for line in lines if "=" in line)
    known = {**there, **environment}
    known |= all_keys(known)
    for service, path in paths.items():
        names = {signing_key_name(service)} if service == "cli" else secrets_of(service)
        lines = [f"{name}={known[name]}" for name in sorted(names) if known.get(name)]
        write_secret(path, "\n".join(lines) + "\n")
    return list(paths.values())


def _random() -> str:
    return secrets.token_hex(KEY_BYTES)
