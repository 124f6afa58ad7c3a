"""What a person sets reaches the services on both ways of `make up`; what cannot is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from libs.devstack import Servers
from libs.runtime.settings import PREFIX, SERVICES
from parley.given import NotGiven, given_settings, settable
from parley.keys import is_secret as field_is_secret
from parley.services import service_spec
from parley.suite import Suite
from tests.support.deploy.compose import model_with

PUBLIC = "https://chats.example"
SERVERS = Servers("127.0.0.1:1", "mongodb://127.0.0.1:1", "chdb:///nowhere")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def names_of(service: str) -> set[str]:
    return {PREFIX + field.upper() for field in service_spec(service).settings.model_fields}


def test_the_environment_wins_over_the_file_and_the_file_over_nothing(file: Path) -> None:
    file.write_text(
        f"# ours\nPARLEY_INGEST_PUBLIC_URL='{PUBLIC}'\nexport PARLEY_LOG_LEVEL=DEBUG\n"
        "PARLEY_DEPLOYMENT_KEY=ab\nCLICKHOUSE_PASSWORD=secret\nPARLEY_NOTIFY_SMTP_URL=\n"
    )

    given = given_settings({"PARLEY_LOG_LEVEL": "ERROR", "HOME": "/"}, file)

    assert given == {"PARLEY_INGEST_PUBLIC_URL": PUBLIC, "PARLEY_LOG_LEVEL": "ERROR"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("PARLEY_INGEST_PUBLIC_ULR", "is not a setting of Parley"),
        ("PARLEY_DEVSTACK_FOLDR", "is not a setting of Parley"),
        ("PARLEY_KAFKA_BOOTSTRAP_SERVERS", "it starts servers of its own"),
        ("PARLEY_MONGODB_URL", "it starts servers of its own"),
        ("PARLEY_KAFKA_REPLICATION_FACTOR", "its Kafka is one broker"),
        ("PARLEY_HOST", "it serves on this machine"),
        ("PARLEY_GATEWAY_PORT", "it serves on this machine"),
        ("PARLEY_GATEWAY_NOTIFY_URL", "it knows where the services are"),
        ("PARLEY_DEPLOYMENT_KEY", "it makes the keys and keeps them"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(file: Path, name: str, why: str) -> None:
    with pytest.raises(NotGiven, match=f"{name} .*{re.escape(why)}"):
        given_settings({name: "1"}, file)
    if not name.endswith("_KEY"):
        file.write_text(f"{name}=1\n")
        with pytest.raises(NotGiven, match=f"{name} .*{re.escape(why)}"):
            given_settings({}, file)


def test_a_wrong_value_is_refused_before_anything_is_started(file: Path) -> None:
    with pytest.raises(NotGiven, match="PARLEY_LOG_LEVEL is wrong") as refused:
        given_settings({"PARLEY_LOG_LEVEL": "LOUD", "PARLEY_INGEST_PUBLIC_URL": "ftp://x"}, file)
    assert "PARLEY_INGEST_PUBLIC_URL is wrong" in str(refused.value)
    assert str(refused.value).count("PARLEY_LOG_LEVEL") == 1


def test_a_tools_setting_is_read_from_the_environment_only(file: Path) -> None:
    assert given_settings({"PARLEY_DEVSTACK_FOLDER": "/a", "PARLEY_TEST_X": "1"}, file) == {}
    file.write_text("PARLEY_DEVSTACK_FOLDER=/a\n")
    with pytest.raises(NotGiven, match="PARLEY_DEVSTACK_FOLDER is read from the environment only"):
        given_settings({}, file)


def test_every_setting_of_a_service_is_honoured_or_refused_with_its_reason(file: Path) -> None:
    for name in sorted(set().union(*map(names_of, SERVICES)) - set(settable())):
        with pytest.raises(NotGiven, match=f"{name} cannot be set for `make up`: "):
            given_settings({name: "1"}, file)


def test_without_docker_every_service_is_given_it(tmp_path: Path) -> None:
    given = {name: f"given-{name}" for name in settable()}

    suite = Suite(SERVERS, tmp_path, settings=given)

    for name, services in settable().items():
        for service in services:
            environment = suite.processes[service]._environment
            assert environment is not None
            assert environment[name] == f"given-{name}"


def test_an_address_is_told_on_to_those_who_hand_it_out(tmp_path: Path) -> None:
    ours = {"PARLEY_INGEST_PUBLIC_URL": PUBLIC, "PARLEY_GATEWAY_PUBLIC_URL": "https://desk.example"}

    settings = Suite(SERVERS, tmp_path, settings=ours).settings
    environment = model_with(ours)["services"]["gateway"]["environment"]

    for told in (settings, environment):
        assert told["PARLEY_GATEWAY_INGEST_PUBLIC_URL"] == PUBLIC
        assert told["PARLEY_NOTIFY_CONSOLE_URL"] == "https://desk.example"


def test_with_docker_every_service_is_given_it_and_no_other_its_secrets() -> None:
    given = {name: f"given-{name}" for name in settable()}

    services: dict[str, Any] = model_with(given)["services"]

    for name, knowing in settable().items():
        has = {s for s in SERVICES if services[s]["environment"].get(name) == given[name]}
        assert knowing <= has, name
        if is_secret(name):
            assert has == knowing, name


def is_secret(name: str) -> bool:
    field = name.removeprefix(PREFIX).lower()
    return any(
        field_is_secret(spec.settings.model_fields[field])
        for spec in map(service_spec, SERVICES)
        if field in spec.settings.model_fields
    )


def test_this_test_knows_secrets() -> None:
    assert SecretStr.__name__ in str(
        service_spec("notify").settings.model_fields["notify_smtp_url"]
    )
    assert not is_secret("PARLEY_LOG_LEVEL")
