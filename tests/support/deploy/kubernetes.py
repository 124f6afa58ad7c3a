"""The manifests of deploy/k8s, as kustomize renders them."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from parley.keys import write_secrets

Manifest = dict[str, Any]

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = ROOT / "deploy" / "k8s"
OVERLAYS: Final = ("dev", "small", "large")
# As an operator gives them to `parley keys --into`.
GIVEN: Final[Mapping[str, str]] = {
    "PARLEY_MONGODB_URL": "mongodb://parley:secret@mongodb.stores.svc:27017/?replicaSet=parley",
    "PARLEY_ANALYTICS_CLICKHOUSE_DSN": "clickhouse://parley:secret@clickhouse.stores.svc:8123/parley",
    "PARLEY_KAFKA_USERNAME": "parley",
    "PARLEY_KAFKA_PASSWORD": "secret",
}
# Only where Kafka knows accounts: the overlay `dev` says of none.
KAFKA_ACCOUNT: Final = frozenset({"PARLEY_KAFKA_USERNAME", "PARLEY_KAFKA_PASSWORD"})


def copied(into: Path) -> Path:
    """The manifests, with secrets as ``parley keys --into`` writes them."""
    folder = into / "k8s"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("secrets"))
    given = {name: value for name, value in GIVEN.items() if name not in KAFKA_ACCOUNT}
    write_secrets(folder / "overlays" / "dev" / "secrets", given)
    return folder


def rendered(overlay: Path) -> list[Manifest]:
    """Errors: AssertionError with what kustomize says."""
    kubectl = Path(sys.executable).with_name("kubectl")
    made = subprocess.run(
        [kubectl, "kustomize", str(overlay)], capture_output=True, text=True, timeout=60
    )
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def of_kind(manifests: Sequence[Manifest], kind: str) -> dict[str, Manifest]:
    """By their names."""
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def own_name(generated: str) -> str:
    """The name without the digest of its content that kustomize put behind it, if it did."""
    return re.sub(r"-[a-z0-9]{10}$", "", generated)


def container_of(workload: Manifest) -> Manifest:
    """Its only container that stays."""
    [container] = workload["spec"]["template"]["spec"]["containers"]
    found: Manifest = container
    return found


def shared_settings(manifests: Sequence[Manifest]) -> dict[str, str]:
    """What every service is given alike."""
    [settings] = [
        one
        for name, one in of_kind(manifests, "ConfigMap").items()
        if own_name(name) == "parley-settings"
    ]
    found: dict[str, str] = settings["data"]
    return found


def settings_of(manifests: Sequence[Manifest], container: Manifest) -> dict[str, str]:
    """What its environment holds of the ConfigMap."""
    maps = of_kind(manifests, "ConfigMap")
    names = [one["configMapRef"]["name"] for one in container["envFrom"] if "configMapRef" in one]
    return {key: value for name in names for key, value in maps[name]["data"].items()}
