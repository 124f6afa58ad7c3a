"""The Compose file, read by the specification's own parser (a Go module)."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.settings import SERVICES, load
from parley.compose import PASSWORDS, keep_secrets
from parley.keys import all_keys, signing_key_name
from parley.services import service_spec

ROOT = Path(__file__).parents[2]
KEYS = all_keys({}) | dict.fromkeys(PASSWORDS, "ab" * 32)


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    return model_with({})


def model_with(given: Mapping[str, str]) -> dict[str, Any]:
    """What Compose makes of the file where these are set."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("the parser of Compose files is a Go module, and there is no Go here")
    read = subprocess.run(
        [go, "run", ".", str(ROOT / "docker-compose.yml")],
        cwd=Path(__file__).parent / "compose_model",
        env=os.environ | KEYS | dict(given),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert read.returncode == 0, read.stderr
    parsed: dict[str, Any] = json.loads(read.stdout)
    return parsed


def test_all_services_and_servers_are_there(model: dict[str, Any]) -> None:
    assert set(model["services"]) == {
        *SERVICES,
        *("kafka", "mongodb", "clickhouse"),
        *("migrate", "bootstrap"),
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_given_settings_it_accepts(model: dict[str, Any], name: str) -> None:
    spec = service_spec(name)

    settings = load(spec.settings, model["services"][name]["environment"])

    assert settings.host == "0.0.0.0"  # noqa: S104  # inside its container


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_confined(model: dict[str, Any], name: str) -> None:
    service = model["services"][name]

    port = load(service_spec(name).settings, service["environment"]).model_dump()[f"{name}_port"]
    assert f":{port}/readyz" in service["healthcheck"]["test"][-1]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["command"] == ["serve", name]


def test_only_the_public_faces_are_exposed_and_only_here(model: dict[str, Any]) -> None:
    published = {
        name: {port["host_ip"] for port in service["ports"]}
        for name, service in model["services"].items()
        if service.get("ports")
    }
    assert published == {"gateway": {"127.0.0.1"}, "ingest": {"127.0.0.1"}}


def test_servers_are_healthy_before_the_migration_and_it_before_the_services(
    model: dict[str, Any],
) -> None:
    services = model["services"]
    for name in ("kafka", "mongodb", "clickhouse"):
        assert services[name]["healthcheck"]["test"]
        assert services["migrate"]["depends_on"][name]["condition"] == "service_healthy"
    for name in SERVICES:
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_secret_but_its_own(model: dict[str, Any], name: str) -> None:
    environment = model["services"][name]["environment"]

    secrets = {setting for setting, value in environment.items() if value in KEYS.values()}

    sealed = {"PARLEY_DEPLOYMENT_KEY"} if name not in ("gateway", "analytics") else set()
    assert secrets == {signing_key_name(name), "PARLEY_VERIFYING_KEYS", *sealed}
    assert ("PARLEY_ANALYTICS_CLICKHOUSE_DSN" in environment) is (name == "analytics")


def test_the_tools_have_no_services_secret(model: dict[str, Any]) -> None:
    for tool, own in (("migrate", set()), ("bootstrap", {"PARLEY_CLI_SIGNING_KEY"})):
        environment = model["services"][tool]["environment"]
        secrets = {setting for setting, value in environment.items() if value in KEYS.values()}
        assert secrets - {"PARLEY_VERIFYING_KEYS"} == own


def test_the_secrets_of_an_older_version_stay_and_those_missing_are_made(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    deployment_key, service_key = "cd" * 32, "ef" * 32
    path.write_text(
        f"# ours\nPARLEY_DEPLOYMENT_KEY={deployment_key}\nPARLEY_SERVICE_KEY={service_key}\n"
        "CLICKHOUSE_PASSWORD='secret'\nPARLEY_LOG_LEVEL=DEBUG\n"
    )

    keep_secrets(path)
    first = path.read_text()
    keep_secrets(path)

    kept = dict(line.split("=", 1) for line in first.splitlines() if "=" in line)
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert first.startswith("# ours\n")
    assert kept["PARLEY_DEPLOYMENT_KEY"] == deployment_key
    assert (kept["CLICKHOUSE_PASSWORD"], kept["PARLEY_LOG_LEVEL"]) == ("secret", "DEBUG")
    assert service_key not in first
    assert set(KEYS) <= set(kept)


def test_the_stores_are_reached_by_the_services_alone(model: dict[str, Any]) -> None:
    assert model["networks"]["stores"]["internal"] is True
    for name, service in model["services"].items():
        is_store = name in ("kafka", "mongodb", "clickhouse")
        assert set(service["networks"]) == ({"stores"} if is_store else {"default", "stores"}), name


def test_nothing_takes_the_whole_machine_or_more_rights_than_it_began_with(
    model: dict[str, Any],
) -> None:
    for name, service in model["services"].items():
        assert int(service["mem_limit"]) <= 4 * 2**30, name
        assert 0 < service["pids_limit"] <= 2048, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
