"""The keys of an installation on one machine: made once, completed after an upgrade, kept apart."""

import json
from pathlib import Path

import pytest

from libs.runtime.settings import CALLERS, SERVICES
from parley.keys import kept_keys, own_settings, service_keys, signing_key_name, write_secrets


def test_they_are_made_once_and_only_ours_to_read(tmp_path: Path) -> None:
    made = kept_keys(tmp_path)

    assert kept_keys(tmp_path) == made
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
    assert len({made[signing_key_name(name)] for name in CALLERS}) == len(CALLERS)


def test_an_older_installation_keeps_its_deployments_key(tmp_path: Path) -> None:
    older = {"PARLEY_DEPLOYMENT_KEY": "ab" * 32, "PARLEY_SERVICE_KEY": "cd" * 32}
    (tmp_path / "keys.json").write_text(json.dumps(older))

    keys = kept_keys(tmp_path)

    assert keys["PARLEY_DEPLOYMENT_KEY"] == older["PARLEY_DEPLOYMENT_KEY"]
    assert "PARLEY_SERVICE_KEY" not in keys
    assert kept_keys(tmp_path) == keys


def test_secrets_are_written_apart_and_stay_when_they_are_written_again(tmp_path: Path) -> None:
    files = write_secrets(tmp_path, {"PARLEY_MONGODB_URL": "mongodb://here"})
    first = {path.name: path.read_text() for path in files}

    write_secrets(tmp_path, {"PARLEY_MONGODB_URL": "mongodb://there"})

    assert {path.name for path in files} == {f"{one}.env" for one in (*CALLERS, "migrate")}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    for name in CALLERS:
        holding = [file for file, text in first.items() if signing_key_name(name) in text]
        assert holding == [f"{name}.env"]
    for path in files:
        assert path.read_text() == first[path.name].replace("here", "there")


def test_what_is_there_is_completed() -> None:
    there = {signing_key_name("ingest"): "ef" * 32}

    keys = service_keys(there)

    assert keys[signing_key_name("ingest")] == "ef" * 32
    assert service_keys(keys) == keys


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_is_given_only_its_own(tmp_path: Path, service: str) -> None:
    everything = kept_keys(tmp_path) | {
        "PARLEY_MONGODB_URL": "mongodb://user:password@host",
        "PARLEY_ANALYTICS_CLICKHOUSE_DSN": "clickhouse://user:password@host",
        "PARLEY_NOTIFY_SMTP_URL": "smtp://user:password@host",
        "PARLEY_LOG_LEVEL": "INFO",
        "PARLEY_NONSENSE": "1",
        "PATH": "/usr/bin",
    }

    own = own_settings(service, everything)

    private = {signing_key_name(name) for name in CALLERS}
    assert private & own.keys() == {signing_key_name(service)}
    assert ("PARLEY_DEPLOYMENT_KEY" in own) is (service not in ("gateway", "analytics"))
    assert ("PARLEY_MONGODB_URL" in own) is (service != "analytics")
    assert ("PARLEY_ANALYTICS_CLICKHOUSE_DSN" in own) is (service == "analytics")
    assert ("PARLEY_NOTIFY_SMTP_URL" in own) is (service == "notify")
    # What no service knows is for the service to refuse.
    assert {"PARLEY_VERIFYING_KEYS", "PARLEY_LOG_LEVEL", "PARLEY_NONSENSE", "PATH"} <= own.keys()
