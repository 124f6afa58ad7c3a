"""How every client of Kafka finds it and signs in: one place for producer, consumer and admin.

A broker that asks for no account is known by its address alone, so a plain text is one too.
"""

import functools
import ssl
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context
from aiokafka.protocol.metadata import MetadataRequest

type SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
type SaslMechanism = Literal["SCRAM-SHA-512", "PLAIN"]

_ANSWER_SECONDS: Final = 10.0


class KafkaRefused(Exception):
    """Kafka is there and lets nobody in so; a sentence that names the setting to mend."""


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Where Kafka is, and as whom one signs in. ``ca_file``: PEM; without it the system's."""

    bootstrap_servers: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    @property
    def is_encrypted(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def has_account(self) -> bool:
        return self.security_protocol.startswith("SASL")


type Kafka = KafkaAccess | str


def client_options(kafka: Kafka) -> dict[str, Any]:
    """What each client of aiokafka is given (producer, consumer, admin).

    Errors: OSError where the file of certificates cannot be read.
    """
    if isinstance(kafka, str):
        return {"bootstrap_servers": kafka}
    return {"bootstrap_servers": kafka.bootstrap_servers, **_sign_in(kafka)}


def ca_ends_at(kafka: KafkaAccess) -> float | None:
    """When the first certificate of ``ca_file`` ends, as a Unix time; None without such a file.

    Errors: OSError where it cannot be read.
    """
    if kafka.ca_file is None:
        return None
    authorities = ssl.create_default_context(cafile=kafka.ca_file).get_ca_certs()
    ends = [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in authorities]
    return min(ends, default=None)


async def check_access(kafka: KafkaAccess) -> None:
    """That Kafka lets us in, for a client says only that it could not begin.

    A broker that is away is nobody's refusal: clients wait for it. Errors: KafkaRefused.
    """
    if kafka.security_protocol == "PLAINTEXT":
        return
    for address in kafka.bootstrap_servers.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            await _sign_in_at(host.strip("[]"), int(port), kafka)
        except SaslAuthenticationFailed as error:
            raise KafkaRefused(
                f"Kafka at {address} refuses the account {kafka.username}:"
                " PARLEY_KAFKA_USERNAME or PARLEY_KAFKA_PASSWORD is wrong"
            ) from error
        except (UnsupportedSaslMechanismError, IllegalSaslStateError) as error:
            raise KafkaRefused(
                f"Kafka at {address} does not sign in by {kafka.sasl_mechanism}:"
                " PARLEY_KAFKA_SASL_MECHANISM or PARLEY_KAFKA_SECURITY_PROTOCOL is wrong"
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise KafkaRefused(
                f"Kafka at {address} shows a certificate that PARLEY_KAFKA_CA_FILE does not"
                f" vouch for: {error.verify_message}"
            ) from error
        except (ssl.SSLError, ConnectionResetError, KafkaConnectionError) as error:
            raise KafkaRefused(
                f"Kafka at {address} ends what begins as {kafka.security_protocol}:"
                " PARLEY_KAFKA_SECURITY_PROTOCOL is wrong, unless it was just stopping"
            ) from error
        except (KafkaError, OSError):
            continue
        return


async def _sign_in_at(host: str, port: int, kafka: KafkaAccess) -> None:
    """Errors: KafkaError, OSError (also TimeoutError)."""
    milliseconds = int(_ANSWER_SECONDS * 1000)
    connection = await create_conn(host, port, request_timeout_ms=milliseconds, **_sign_in(kafka))
    try:
        # Also a broker that wants an account tells a stranger its versions, and nothing else.
        await connection.send(MetadataRequest([]))
    finally:
        connection.close()


def _sign_in(kafka: KafkaAccess) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.is_encrypted:
        options["ssl_context"] = _trusting(kafka.ca_file)
    if kafka.has_account:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password,
        }
    return options


@functools.cache
def _trusting(ca_file: str | None) -> ssl.SSLContext:
    context: ssl.SSLContext = create_ssl_context(cafile=ca_file)
    return context
