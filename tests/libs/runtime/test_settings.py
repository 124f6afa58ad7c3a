"""A wrong environment stops the process with a sentence that names each setting."""

import pytest
from pydantic import Field

from libs.runtime.settings import (
    DeploymentSettings,
    MongoSettings,
    ServiceSettings,
    Settings,
    SettingsError,
    SigningKey,
    key_bytes,
    load,
)
from tests.support.trust import SERVICE_KEYS, VERIFYING_KEYS

KEY = bytes(range(32)).hex()
ENVIRONMENT = {
    "PARLEY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "PARLEY_DEPLOYMENT_KEY": KEY,
    **SERVICE_KEYS,
    "PARLEY_MONGODB_URL": "mongodb://user:secret-password@127.0.0.1",
}


class NotifySettings(ServiceSettings, DeploymentSettings, MongoSettings):
    notify_signing_key: SigningKey = Field(description="notify signs with it")
    notify_port: int = Field(8104, ge=0, le=65535)
    notify_conversation_url: str = Field(description="where conversation answers")


def complaint(**changes: str | None) -> str:
    environment = ENVIRONMENT | {"PARLEY_NOTIFY_CONVERSATION_URL": "http://c"} | changes
    present = {name: value for name, value in environment.items() if value is not None}
    with pytest.raises(SettingsError) as error:
        load(NotifySettings, present)
    return str(error.value)


def test_what_is_right_is_read() -> None:
    settings = load(
        NotifySettings,
        ENVIRONMENT
        | {
            "PARLEY_NOTIFY_CONVERSATION_URL": "http://c",
            "PARLEY_NOTIFY_PORT": "0",
            "PATH": "/usr/bin",
            "PARLEY_GATEWAY_ANYTHING": "another service's",
            "PARLEY_TEST_KAFKA_BOOTSTRAP": "a tool's",
        },
    )

    assert (settings.notify_port, settings.host) == (0, "127.0.0.1")
    assert key_bytes(settings.deployment_key) == bytes(range(32))
    assert settings.verifying_keys == VERIFYING_KEYS


def test_a_key_that_is_being_changed_stands_beside_its_next() -> None:
    there = ENVIRONMENT["PARLEY_VERIFYING_KEYS"]
    keys = {"PARLEY_VERIFYING_KEYS": f"{there}, gateway:{KEY}"}

    settings = load(
        NotifySettings, ENVIRONMENT | keys | {"PARLEY_NOTIFY_CONVERSATION_URL": "http://c"}
    )

    assert settings.verifying_keys["gateway"] == (*VERIFYING_KEYS["gateway"], bytes(range(32)))


def test_the_one_key_of_all_services_is_no_more() -> None:
    """Who upgrades is told what to do; a process that went on with it would answer nobody."""
    assert complaint(PARLEY_SERVICE_KEY=KEY) == (
        "PARLEY_SERVICE_KEY is not used any more: "
        "each service has a key of its own now, which `parley keys` makes"
    )


def test_a_missing_one_is_named_with_its_purpose() -> None:
    assert complaint(PARLEY_NOTIFY_CONVERSATION_URL=None) == (
        "PARLEY_NOTIFY_CONVERSATION_URL is missing: where conversation answers"
    )
    assert complaint(PARLEY_DEPLOYMENT_KEY=None).startswith("PARLEY_DEPLOYMENT_KEY is missing: ids")


def test_an_unknown_one_is_named() -> None:
    for name in ("PARLEY_NOTIFY_PROT", "PARLEY_KAFKA_SERVERS", "PARLEY_LOGLEVEL"):
        assert complaint(**{name: "1"}) == f"{name} is not a setting of Parley"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_NOTIFY_PORT", "seventy"),
        ("PARLEY_NOTIFY_PORT", "70000"),
        ("PARLEY_LOG_LEVEL", "LOUD"),
        ("PARLEY_SHUTDOWN_TIMEOUT_SECONDS", "-7.5"),
        ("PARLEY_DEPLOYMENT_KEY", "xyz"),
        ("PARLEY_DEPLOYMENT_KEY", "00" * 31),
        ("PARLEY_NOTIFY_SIGNING_KEY", "00" * 31),
        ("PARLEY_NOTIFY_SIGNING_KEY", "00" * 33),
        ("PARLEY_VERIFYING_KEYS", KEY),
        ("PARLEY_VERIFYING_KEYS", f"gateway:{KEY},"),
        ("PARLEY_VERIFYING_KEYS", f"somebody:{KEY}"),
        ("PARLEY_VERIFYING_KEYS", f"gateway:{KEY[2:]}"),
    ],
)
def test_a_wrong_one_is_named_without_its_value(name: str, value: str) -> None:
    sentence = complaint(**{name: value})

    assert sentence.startswith(f"{name} is wrong: ")
    assert value not in sentence


def test_an_empty_one_is_not_set() -> None:
    """As Compose passes on what its own environment does not have."""
    settings = load(MongoSettings, ENVIRONMENT | {"PARLEY_MONGODB_DATABASE": ""})

    assert settings.mongodb_database == "parley"
    assert complaint(PARLEY_VERIFYING_KEYS="").startswith("PARLEY_VERIFYING_KEYS is missing")


def test_all_that_is_wrong_is_said_at_once() -> None:
    sentence = complaint(
        PARLEY_NOTIFY_SIGNING_KEY=None, PARLEY_NOTIFY_PORT="x", PARLEY_NONSENSE="1"
    )

    for name in ("PARLEY_NOTIFY_SIGNING_KEY", "PARLEY_NOTIFY_PORT", "PARLEY_NONSENSE"):
        assert name in sentence


def test_secrets_do_not_show() -> None:
    settings = load(NotifySettings, ENVIRONMENT | {"PARLEY_NOTIFY_CONVERSATION_URL": "http://c"})

    assert KEY not in repr(settings)
    assert "secret-password" not in repr(settings)


def test_one_environment_serves_services_with_and_without_mongodb() -> None:
    load(Settings, ENVIRONMENT | {"PARLEY_NOTIFY_CONVERSATION_URL": "http://c"})


def test_nothing_is_read_but_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_HOST", "0.0.0.0")  # noqa: S104  # the setting that must not be seen

    assert load(Settings, ENVIRONMENT).host == "127.0.0.1"
