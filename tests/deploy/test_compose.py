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
from parley.services import service_spec

ROOT = Path(__file__).parents[2]
KEYS = ("PARLEY_DEPLOYMENT_KEY", "PARLEY_SERVICE_KEY", "CLICKHOUSE_PASSWORD")


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
        env=os.environ | dict.fromkeys(KEYS, "ab" * 32) | dict(given),
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
