"""The Compose file, read by the specification's own parser (a Go module)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from libs.runtime.settings import SERVICES, MongoSettings, Settings, load
from parley.accounts import HOLDERS, OPERATOR, ROOT, Server, password_name, passwords
from parley.compose import keep_secrets
from parley.keys import signing_key_name
from parley.services import service_spec
from services.analytics.warehouse import DEFAULT_DATABASE
from tests.support.deploy.compose import KEYS, ROOT_FOLDER, model_with

MONGODB = "PARLEY_MONGODB_URL"


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    return model_with({})


def test_all_services_and_servers_are_there(model: dict[str, Any]) -> None:
    assert set(model["services"]) == {
        *SERVICES,
        *("kafka", "mongodb", "clickhouse"),
        *("kafka-accounts", "mongodb-accounts"),
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
    assert services["migrate"]["depends_on"]["clickhouse"]["condition"] == "service_healthy"
    for name in ("kafka", "mongodb"):
        accounts = services[f"{name}-accounts"]
        assert accounts["depends_on"][name]["condition"] == "service_healthy"
        # Where nobody has to sign in, and nobody else is.
        assert accounts["network_mode"] == f"service:{name}"
        made = services["migrate"]["depends_on"][f"{name}-accounts"]["condition"]
        assert made == "service_completed_successfully"
    for name in SERVICES:
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_secret_but_its_own(model: dict[str, Any], name: str) -> None:
    environment = model["services"][name]["environment"]

    sealed = {"PARLEY_DEPLOYMENT_KEY"} if name not in ("gateway", "analytics") else set()
    store = "CLICKHOUSE" if name == "analytics" else "MONGODB"
    assert secrets_in(environment) == {
        *(signing_key_name(name), "PARLEY_VERIFYING_KEYS", *sealed),
        *(password_name("kafka", name), password_name(store, name)),
    }
    assert ("PARLEY_ANALYTICS_CLICKHOUSE_DSN" in environment) is (name == "analytics")
    assert environment["PARLEY_KAFKA_USERNAME"] == name
    address = environment["PARLEY_ANALYTICS_CLICKHOUSE_DSN" if name == "analytics" else MONGODB]
    assert urlsplit(address).username == name


def secrets_in(environment: Mapping[str, str]) -> set[str]:
    """Which of what `make up` makes are told there, wherever they stand."""
    told = " ".join(environment.values())
    return {name for name, value in KEYS.items() if value in told}


@pytest.mark.parametrize(
    ("tool", "own"),
    [
        ("bootstrap", {"PARLEY_CLI_SIGNING_KEY", "PARLEY_VERIFYING_KEYS"}),
        (
            "migrate",
            {
                *(password_name(server, OPERATOR) for server in ("kafka", "mongodb", "clickhouse")),
                "PARLEY_VERIFYING_KEYS",
            },
        ),
        ("kafka-accounts", {password_name("kafka", holder) for holder in HOLDERS["kafka"]}),
        (
            "mongodb-accounts",
            {password_name("mongodb", holder) for holder in (ROOT, *HOLDERS["mongodb"])},
        ),
        ("kafka", set()),
        ("mongodb", {"MONGODB_KEY"}),
        ("clickhouse", {password_name("clickhouse", holder) for holder in (OPERATOR, "analytics")}),
    ],
)
def test_the_tools_and_servers_have_no_secret_but_their_own(
    model: dict[str, Any], tool: str, own: set[str]
) -> None:
    assert secrets_in(model["services"][tool]["environment"]) == own


@pytest.mark.parametrize("server", ["kafka", "mongodb"])
def test_the_accounts_are_given_all_passwords_of_their_server(
    model: dict[str, Any], server: Server
) -> None:
    environment = model["services"][f"{server}-accounts"]["environment"]

    given = passwords(server, environment)

    assert given == {holder: KEYS[password_name(server, holder)] for holder in given}
    load(Settings if server == "kafka" else MongoSettings, environment)


def test_clickhouse_has_the_accounts_that_the_services_use(model: dict[str, Any]) -> None:
    accounts = ElementTree.parse(ROOT_FOLDER / "deploy" / "clickhouse-accounts.xml")  # noqa: S314  # ours
    [users] = accounts.iter("users")

    assert {user.tag for user in users} == {"default", OPERATOR, "analytics"}
    # Whoever does not say who they are is nobody there.
    [default] = accounts.iter("default")
    assert default.attrib == {"remove": "remove"}
    server = model["services"]["clickhouse"]
    for holder, rights in ((OPERATOR, "ALL"), ("analytics", "SELECT, INSERT")):
        user = users.find(holder)
        assert user is not None
        password, grant = user.find("password"), user.find("grants/query")
        assert password is not None
        assert grant is not None
        assert password.attrib["from_env"] in server["environment"]
        assert grant.text == f"GRANT {rights} ON {DEFAULT_DATABASE}.*"
    [mounted] = [one for one in server["volumes"] if one["type"] == "bind"]
    assert mounted["source"].endswith("deploy/clickhouse-accounts.xml")
    assert mounted["target"].startswith("/etc/clickhouse-server/users.d/")


def test_the_secrets_of_an_older_version_stay_and_those_missing_are_made(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    deployment_key, service_key = "cd" * 32, "ef" * 32
    path.write_text(
        f"# ours\nPARLEY_DEPLOYMENT_KEY={deployment_key}\nPARLEY_SERVICE_KEY={service_key}\n"
        "CLICKHOUSE_PASSWORD=old\nKAFKA_PASSWORD_INGEST='secret'\nPARLEY_LOG_LEVEL=DEBUG\n"
    )

    keep_secrets(path)
    first = path.read_text()
    keep_secrets(path)

    kept = dict(line.split("=", 1) for line in first.splitlines() if "=" in line)
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert first.startswith("# ours\n")
    assert kept["PARLEY_DEPLOYMENT_KEY"] == deployment_key
    assert (kept["KAFKA_PASSWORD_INGEST"], kept["PARLEY_LOG_LEVEL"]) == ("secret", "DEBUG")
    assert service_key not in first
    assert "CLICKHOUSE_PASSWORD" not in kept
    assert set(KEYS) <= set(kept)


def test_the_stores_are_reached_by_the_services_alone(model: dict[str, Any]) -> None:
    assert model["networks"]["stores"]["internal"] is True
    for name, service in model["services"].items():
        is_store = name in ("kafka", "mongodb", "clickhouse")
        if "network_mode" not in service:
            expected = {"stores"} if is_store else {"default", "stores"}
            assert set(service["networks"]) == expected, name


def test_nothing_takes_the_whole_machine_or_more_rights_than_it_began_with(
    model: dict[str, Any],
) -> None:
    for name, service in model["services"].items():
        assert int(service["mem_limit"]) <= 4 * 2**30, name
        assert 0 < service["pids_limit"] <= 2048, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
