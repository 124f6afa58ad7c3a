"""Kafka with accounts and TLS: its own listener, our clients, and what a refusal is told by."""

import datetime
import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from libs.devstack.folders import cache_folder
from libs.devstack.kafka import CONFIGURATION, kafka_process
from libs.devstack.ports import free_port
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.dead_letters import each_letter
from libs.runtime.kafka import Outgoing
from libs.runtime.kafka_access import (
    KafkaAccess,
    KafkaRefused,
    SaslMechanism,
    SecurityProtocol,
    ca_ends_at,
    check_access,
)
from libs.runtime.settings import Settings, SettingsError, load
from libs.runtime.topics import create_topics

_ACCOUNT = "conversation"
_LISTENER = """
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain\
.PlainLoginModule required username="broker" password="broker" user_broker="broker" \
user_plain="open";
listener.name.plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram\
.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={keys}
ssl.truststore.type=PEM
ssl.truststore.location={trusted}
"""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaAccess]:
    """A broker that speaks only TLS with accounts, and who may sign in there."""
    folder = tmp_path_factory.mktemp("kafka")
    trusted, keys = _certificates(folder)
    port = free_port()
    listener = _LISTENER.replace("{keys}", str(keys)).replace("{trusted}", str(trusted))
    process = kafka_process(
        folder / "kafka",
        port=port,
        controller_port=free_port(),
        cache=cache_folder(),
        log_path=folder / "kafka.log",
        configuration=CONFIGURATION.replace(
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n", listener
        ),
        formatting=(f"--add-scram=SCRAM-SHA-512=[name={_ACCOUNT},password=secret]",),
    )
    process.start()
    try:
        process.wait_ready(90)
        yield KafkaAccess(
            f"127.0.0.1:{port}",
            "SASL_SSL",
            username=_ACCOUNT,
            password="secret",
            ca_file=str(trusted),
        )
    finally:
        process.stop()


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Of a certificate that vouches for itself: it alone, and with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kafka")])
    now = datetime.datetime.now(datetime.UTC)
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(addresses, critical=False)
        .sign(key, hashes.SHA256())
    )
    shown = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    trusted, keys = folder / "trusted.pem", folder / "keys.pem"
    trusted.write_bytes(shown)
    keys.write_bytes(private + shown)
    return trusted, keys


def test_it_is_known_when_the_file_of_certificates_ends(tmp_path: Path) -> None:
    trusted, _keys = _certificates(tmp_path)
    [certificate] = x509.load_pem_x509_certificates(trusted.read_bytes())

    ends = ca_ends_at(KafkaAccess("kafka:9094", "SSL", ca_file=str(trusted)))

    assert ends == certificate.not_valid_after_utc.timestamp()
    assert ca_ends_at(KafkaAccess("kafka:9094", "SSL")) is None


@pytest.mark.servers
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("mechanism", "username", "password"),
    [("SCRAM-SHA-512", _ACCOUNT, "secret"), ("PLAIN", "plain", "open")],
)
async def test_admin_producer_and_consumer_sign_in(
    kafka: KafkaAccess, mechanism: SaslMechanism, username: str, password: str
) -> None:
    ours = replace(kafka, sasl_mechanism=mechanism, username=username, password=password)
    namespace = f"{mechanism.lower()}."

    await check_access(ours)
    await create_topics(ours, namespace, topics=[Topic.INBOUND])
    async with publishing(ours, namespace) as publisher:
        twin = Topic.INBOUND.dead_letter
        await publisher.publish([Outgoing(twin, b"key", b"value", [])])
    read = [letter.value async for letter in each_letter(ours, namespace + twin)]

    assert read == [b"value"]


@pytest.mark.servers
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"password": "guessed"}, "PARLEY_KAFKA_USERNAME or PARLEY_KAFKA_PASSWORD is wrong"),
        ({"username": "nobody"}, "refuses the account nobody"),
        ({"sasl_mechanism": "PLAIN"}, "PARLEY_KAFKA_USERNAME or PARLEY_KAFKA_PASSWORD is wrong"),
        ({"ca_file": None}, "a certificate that PARLEY_KAFKA_CA_FILE does not vouch for"),
    ],
)
async def test_who_is_refused_is_told_by_the_settings_name(
    kafka: KafkaAccess, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(KafkaRefused, match=told) as refused:
        await check_access(replace(kafka, **changed))
    assert "guessed" not in str(refused.value)
    with pytest.raises(KafkaError):
        await create_topics(replace(kafka, **changed), topics=[Topic.INBOUND])


@pytest.mark.servers
@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL", "SASL_PLAINTEXT"])
async def test_what_a_broker_does_not_speak_is_told(
    kafka_bootstrap: str, protocol: SecurityProtocol
) -> None:
    with pytest.raises(KafkaRefused, match="PARLEY_KAFKA_SECURITY_PROTOCOL"):
        await check_access(KafkaAccess(kafka_bootstrap, protocol, username="a", password="b"))


@pytest.mark.servers
@pytest.mark.timeout(180)
@pytest.mark.parametrize("protocol", ["SSL", "SASL_PLAINTEXT"])
async def test_what_a_broker_with_accounts_does_not_speak_is_told(
    kafka: KafkaAccess, protocol: SecurityProtocol
) -> None:
    with pytest.raises(KafkaRefused, match="PARLEY_KAFKA_SECURITY_PROTOCOL"):
        await check_access(replace(kafka, security_protocol=protocol))


async def test_a_broker_that_is_away_refuses_nobody() -> None:
    await check_access(KafkaAccess(f"127.0.0.1:{free_port()}", "SASL_PLAINTEXT", username="a"))


def test_a_password_does_not_show() -> None:
    assert "secret" not in repr(KafkaAccess("a:1", "SASL_SSL", username="a", password="secret"))


SERVERS = {"PARLEY_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
ACCOUNT = {"PARLEY_KAFKA_USERNAME": "ingest", "PARLEY_KAFKA_PASSWORD": "secret"}


def test_settings_say_who_signs_in() -> None:
    told = {"PARLEY_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}

    kafka = load(Settings, SERVERS | ACCOUNT | told).kafka

    assert kafka == KafkaAccess(
        "kafka:9092", "SASL_PLAINTEXT", username="ingest", password="secret"
    )
    assert load(Settings, SERVERS).kafka == KafkaAccess("kafka:9092")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (ACCOUNT, "PARLEY_KAFKA_SECURITY_PROTOCOL has to be SASL_SSL or SASL_PLAINTEXT"),
        (
            {"PARLEY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "PARLEY_KAFKA_USERNAME": "a"},
            "SASL_SSL needs PARLEY_KAFKA_USERNAME and PARLEY_KAFKA_PASSWORD",
        ),
        ({"PARLEY_KAFKA_SECURITY_PROTOCOL": "TLS"}, "PARLEY_KAFKA_SECURITY_PROTOCOL is wrong"),
        ({"PARLEY_KAFKA_SASL_MECHANISM": "GSSAPI"}, "PARLEY_KAFKA_SASL_MECHANISM is wrong"),
        (
            ACCOUNT
            | {
                "PARLEY_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                "PARLEY_KAFKA_SASL_MECHANISM": "PLAIN",
            },
            "PARLEY_KAFKA_SASL_MECHANISM PLAIN shows the password",
        ),
        ({"PARLEY_KAFKA_CA_FILE": "/nowhere"}, "PARLEY_KAFKA_SECURITY_PROTOCOL has to be SSL"),
        (
            {"PARLEY_KAFKA_CA_FILE": "/nowhere", "PARLEY_KAFKA_SECURITY_PROTOCOL": "SSL"},
            "PARLEY_KAFKA_CA_FILE cannot be used",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(given: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as refused:
        load(Settings, SERVERS | given)
    assert "secret" not in str(refused.value)
