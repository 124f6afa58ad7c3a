"""Accounts and rights at Kafka, by its own protocol: aiokafka has no words for either.

https://kafka.apache.org/43/security/authorization-and-acls/ and KIP-554 (SCRAM credentials).
"""

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from libs.events.topics import Topic
from libs.runtime.dead_letters import ONE_WRITER
from libs.runtime.kafka_access import Kafka, client_options
from parley.accounts import OPERATOR

_SCRAM_SHA_512: Final = 2
_ITERATIONS: Final = 8192
_ALLOW: Final = 3
_EVERYBODY_FROM: Final = "*"


class On(IntEnum):
    """Kafka's numbers of what a right is about."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTION = 5


class Pattern(IntEnum):
    EXACT = 3
    PREFIX = 4


class May(IntEnum):
    ALL = 2
    READ = 3
    WRITE = 4
    DELETE = 6
    DESCRIBE = 8


@dataclass(frozen=True, slots=True)
class Right:
    holder: str
    on: On
    name: str
    may: May
    pattern: Pattern = Pattern.EXACT


@dataclass(frozen=True, slots=True)
class Topics:
    """Of one service. What it consumes may end in the topic's twin, and is looked for there."""

    consumed: tuple[Topic, ...] = ()
    followed: tuple[Topic, ...] = ()
    written: tuple[Topic, ...] = ()


TOPICS: Final[Mapping[str, Topics]] = {
    "ingest": Topics(
        consumed=(Topic.INBOUND, Topic.OUTBOUND, Topic.CONVERSATION),
        followed=(Topic.DIRECTORY,),
        written=(Topic.INBOUND, Topic.DELIVERY),
    ),
    "conversation": Topics(
        consumed=(
            *(Topic.INBOUND, Topic.DELIVERY, Topic.COMMANDS),
            *(Topic.CUSTOMER, Topic.CONVERSATION),
        ),
        followed=(Topic.DIRECTORY,),
        written=(Topic.CONVERSATION, Topic.CUSTOMER, Topic.OUTBOUND),
    ),
    "routing": Topics(
        consumed=(Topic.CONVERSATION,),
        followed=(Topic.DIRECTORY,),
        written=(Topic.COMMANDS, Topic.DIRECTORY),
    ),
    "notify": Topics(
        consumed=(Topic.CONVERSATION,),
        followed=(Topic.DIRECTORY,),
        written=(Topic.NOTIFICATION,),
    ),
    "analytics": Topics(consumed=(Topic.CONVERSATION,), followed=(Topic.DIRECTORY,)),
    "gateway": Topics(followed=(Topic.DIRECTORY, Topic.CONVERSATION, Topic.NOTIFICATION)),
}


def rights(namespace: str = "") -> Iterator[Right]:
    """All that anybody may do there."""
    for service, topics in TOPICS.items():
        for topic in (*topics.consumed, *topics.followed):
            yield Right(service, On.TOPIC, namespace + topic.value, May.READ)
        for topic in topics.written:
            yield Right(service, On.TOPIC, namespace + topic.value, May.WRITE)
        for topic in topics.consumed:
            yield Right(service, On.TOPIC, namespace + topic.dead_letter, May.READ)
            yield Right(service, On.TOPIC, namespace + topic.dead_letter, May.WRITE)
        if topics.consumed:
            # Its groups begin with its name.
            yield Right(service, On.GROUP, namespace + service, May.READ, Pattern.PREFIX)
    # Who is forgotten is taken out of every dead letter, in a transaction.
    for topic in Topic:
        for may in (May.READ, May.WRITE, May.DELETE):
            yield Right("conversation", On.TOPIC, namespace + topic.dead_letter, may)
    for may in (May.WRITE, May.DESCRIBE):
        yield Right("conversation", On.TRANSACTION, namespace + ONE_WRITER, may)
    for on, name in ((On.TOPIC, "*"), (On.GROUP, "*"), (On.CLUSTER, "kafka-cluster")):
        yield Right(OPERATOR, on, name, May.ALL)


async def make_kafka_accounts(
    kafka: Kafka, passwords: Mapping[str, str], namespace: str = ""
) -> str:
    """``kafka``: where one may do so. What was done, in words. Errors: KafkaError."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    try:
        await admin.start()
        answer = await admin._send_request(_Accounts(passwords))
        for _name, code, message, _tags in answer.results:
            if code:
                raise for_code(code)(message)
        given = dict.fromkeys(rights(namespace))
        for right in given:
            answer = await admin._send_request(_asked(right))
            for code, message in answer.creation_responses:
                if code:
                    raise for_code(code)(message)
    finally:
        await admin.close()
    return f"kafka: {len(passwords)} accounts with {len(given)} rights"


def _asked(right: Right) -> CreateAclsRequest:
    return CreateAclsRequest(
        right.on,
        right.name,
        right.pattern,
        f"User:{right.holder}",
        _EVERYBODY_FROM,
        right.may,
        _ALLOW,
    )


class _AccountsAnswer(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AccountsAsked(RequestStruct):  # type: ignore[misc]
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _AccountsAnswer
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(
                ("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)
            ),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Accounts(Request[_AccountsAsked]):  # type: ignore[misc]
    """AlterUserScramCredentials: Kafka is told the salted password and never the password."""

    API_KEY = 51

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords

    def build(self, request_struct_class: type[_AccountsAsked]) -> Any:
        accounts: list[tuple[Any, ...]] = []
        for name, password in self._passwords.items():
            salt = secrets.token_bytes(32)
            salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
            accounts.append((name, _SCRAM_SHA_512, _ITERATIONS, salt, salted, {}))
        return request_struct_class([], accounts, {})
