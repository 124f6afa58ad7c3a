"""Settings come from the environment, and a wrong one stops the process with a sentence.

A service's own settings start with its name (``PARLEY_INGEST_…``), the ones all share do not. Every
service may therefore be given one and the same environment, and yet a misspelt name is refused.
"""

import os
import ssl
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from libs.runtime.kafka_access import KafkaAccess, SaslMechanism, SecurityProtocol
from libs.runtime.proxies import Network, trusted_networks
from libs.runtime.tokens import KEY_BYTES, VerifyingKeys

PREFIX: Final = "PARLEY_"
SERVICES: Final = ("ingest", "conversation", "routing", "notify", "analytics", "gateway")
# Read by the tools around the services, never by a service.
_TOOLS: Final = ("PARLEY_DEVSTACK_", "PARLEY_TEST_", "PARLEY_BENCH_", "PARLEY_DEMO_", "PARLEY_CLI_")
# Who signs calls to services: they, and ``parley`` itself.
CALLERS: Final = (*SERVICES, "cli")
_GONE: Final = {
    "PARLEY_SERVICE_KEY": "each service has a key of its own now, which `parley keys` makes"
}
_KEY_BYTES: Final = 32
# Of the services that nobody but services and operators reaches.
PORT: Final = "what the services ask, /metrics and /readyz, for services and operators"


class SettingsError(Exception):
    """A sentence for the operator; it names each setting that is missing, wrong or unknown."""


def _key(value: SecretStr) -> SecretStr:
    try:
        length = len(bytes.fromhex(value.get_secret_value()))
    except ValueError as error:
        raise ValueError("must be hexadecimal") from error
    if length < _KEY_BYTES:
        raise ValueError(f"must have at least {_KEY_BYTES} bytes ({2 * _KEY_BYTES} digits)")
    return value


Key = Annotated[SecretStr, AfterValidator(_key)]


def _proxies(text: str) -> str:
    trusted_networks(text)
    return text


def key_bytes(key: SecretStr) -> bytes:
    return bytes.fromhex(key.get_secret_value())


def _signing_key(value: SecretStr) -> SecretStr:
    if len(bytes.fromhex(_key(value).get_secret_value())) != KEY_BYTES:
        raise ValueError(f"must have {KEY_BYTES} bytes ({2 * KEY_BYTES} digits)")
    return value


# A service's own, with which it signs its calls to others (Ed25519).
SigningKey = Annotated[SecretStr, AfterValidator(_signing_key)]


def _verifying_keys(value: object) -> object:
    """``service:key`` pairs, comma separated. Errors: ValueError."""
    keys: dict[str, list[bytes]] = {}
    for pair in str(value).split(","):
        name, _, key = pair.strip().partition(":")
        try:
            public = bytes.fromhex(key)
        except ValueError as error:
            raise ValueError("must be pairs of a service and its hexadecimal key") from error
        if name not in CALLERS or len(public) != KEY_BYTES:
            told = f"must name {', '.join(CALLERS)}, each with a key of {KEY_BYTES} bytes"
            raise ValueError(told)
        keys.setdefault(name, []).append(public)
    return keys


class Settings(BaseSettings):
    """What all are told, tools too. Keys are hexadecimal and have no default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    kafka_bootstrap_servers: str = Field(
        description="Kafka's addresses, host:port, comma separated"
    )
    kafka_security_protocol: SecurityProtocol = Field(
        "PLAINTEXT", description="how Kafka's clients connect, in Kafka's own words"
    )
    kafka_sasl_mechanism: SaslMechanism = Field(
        "SCRAM-SHA-512", description="how the account signs in at Kafka"
    )
    kafka_username: str | None = Field(None, description="of this process's account at Kafka")
    kafka_password: SecretStr | None = Field(None, description="of the same account")
    kafka_ca_file: str | None = Field(
        None, description="PEM, with what Kafka's certificate is checked; else the system's"
    )
    kafka_namespace: str = Field("", description="put before every topic and group name")
    kafka_replication_factor: int = Field(1, ge=1, description="of the topics that migrate makes")
    host: str = Field("127.0.0.1", description="the address on which a service listens")
    log_level: str = Field(
        "INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="the least that is logged: DEBUG, INFO, WARNING or ERROR",
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern="^https?://[^/]+/?$",
        description="an OTLP/HTTP collector's address without a path, http://collector:4318 say:"
        " traces go there; off when not set",
    )
    shutdown_timeout_seconds: float = Field(
        10, gt=0, description="how long a service that is told to end finishes what it has in hand"
    )
    webhooks_allow_private: bool = Field(
        False,
        description="a workspace's webhook may be http, and lead into a private network or to this"
        " machine",
    )
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = Field(
        "",
        description="addresses and CIDRs of the proxies before gateway and ingest, comma separated:"
        " their X-Forwarded-For says who a client is",
    )
    max_connections_per_address: int = Field(
        500, ge=1, description="of gateway and ingest, by a client's address or IPv6 /64"
    )
    max_sockets_per_address: int = Field(
        300, ge=1, description="live connections of gateway and ingest, counted likewise"
    )

    @model_validator(mode="after")
    def _kafka_is_told_whole(self) -> Self:
        kafka = self.kafka
        given = (kafka.username is not None, kafka.password is not None)
        if kafka.has_account and given != (True, True):
            raise ValueError(
                f"{kafka.security_protocol} needs PARLEY_KAFKA_USERNAME and PARLEY_KAFKA_PASSWORD"
            )
        if not kafka.has_account and any(given):
            raise ValueError(
                "PARLEY_KAFKA_SECURITY_PROTOCOL has to be SASL_SSL or SASL_PLAINTEXT where an"
                " account is given"
            )
        if kafka.sasl_mechanism == "PLAIN" and kafka.security_protocol == "SASL_PLAINTEXT":
            raise ValueError(
                "PARLEY_KAFKA_SASL_MECHANISM PLAIN shows the password to the network:"
                " it needs SASL_SSL"
            )
        if kafka.ca_file is not None:
            if not kafka.is_encrypted:
                raise ValueError(
                    "PARLEY_KAFKA_SECURITY_PROTOCOL has to be SSL or SASL_SSL where"
                    " PARLEY_KAFKA_CA_FILE is given"
                )
            try:
                ssl.create_default_context(cafile=kafka.ca_file)
            except OSError as error:
                raise ValueError(f"PARLEY_KAFKA_CA_FILE cannot be used: {error}") from error
        return self

    @property
    def kafka(self) -> KafkaAccess:
        """For ``libs.runtime.kafka_access.client_options``."""
        password = self.kafka_password
        return KafkaAccess(
            self.kafka_bootstrap_servers,
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_username,
            password.get_secret_value() if password else None,
            self.kafka_ca_file,
        )

    @property
    def proxies(self) -> tuple[Network, ...]:
        return trusted_networks(self.trusted_proxies)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load`` was given: it reads the environment, whole and in one place."""
        return (init_settings,)


class ServiceSettings(Settings):
    """What every service is told. The public keys are of all that may call it."""

    verifying_keys: Annotated[VerifyingKeys, BeforeValidator(_verifying_keys)] = Field(
        description="the services' public keys, which `parley keys` makes: by them calls are known"
    )


class DeploymentSettings(Settings):
    """Of those who derive ids or open what is sealed. At least 32 bytes."""

    deployment_key: Key = Field(description="ids and sealed credentials are made with it")


class MongoSettings(Settings):
    mongodb_url: SecretStr = Field(description="a replica set's, with the account in it")
    mongodb_database: str = Field(
        "parley", min_length=1, description="the database in which all collections are"
    )


class SealedStoreSettings(DeploymentSettings, MongoSettings):
    """Of the tools that read what services have stored and sealed."""


def load[S: Settings](settings: type[S], environment: Mapping[str, str] = os.environ) -> S:
    """The settings from ``environment``, where an empty value counts as not given.

    Errors: SettingsError.
    """
    complaints = [
        f"{name} is not used any more: {_GONE[name]}"
        if name in _GONE
        else f"{name} is not a setting of Parley"
        for name in _unknown(settings, environment)
    ]
    names = {PREFIX + field.upper(): field for field in settings.model_fields}
    given = {field: environment[name] for name, field in names.items() if environment.get(name)}
    try:
        loaded = settings(**given)  # type: ignore[arg-type]  # texts, which pydantic parses
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = PREFIX + "_".join(str(part) for part in problem["loc"]).upper()
            if not problem["loc"]:  # of several together, which name themselves
                complaints.append(str(problem["ctx"]["error"]))
            elif problem["type"] == "missing":
                complaints.append(f"{name} is missing: {_purpose(settings, problem['loc'][0])}")
            else:
                complaints.append(f"{name} is wrong: {problem['msg']}")
    if complaints:
        raise SettingsError("; ".join(complaints))
    return loaded


def _unknown(settings: type[Settings], environment: Mapping[str, str]) -> list[str]:
    known = {PREFIX + field.upper() for field in settings.model_fields}
    for shared in (ServiceSettings, DeploymentSettings, MongoSettings):
        known |= {PREFIX + field.upper() for field in shared.model_fields}
    prefix = settings.model_config.get("env_prefix", PREFIX)
    # What is not a service but a tool is told a part of a service's settings.
    whole = issubclass(settings, ServiceSettings)
    fields = settings.model_fields if whole else ()
    own = [name for name in SERVICES if any(f.startswith(name) for f in fields)]
    others = tuple(f"{prefix}{name.upper()}_" for name in SERVICES if name not in own)
    return sorted(
        name
        for name in environment
        if name.startswith(PREFIX) and name not in known and not name.startswith(_TOOLS + others)
    )


def _purpose(settings: type[Settings], field: int | str) -> str:
    info = settings.model_fields.get(str(field))
    return info.description if info and info.description else "it has no default"
