"""What the services read from Kafka and write to it, as AsyncAPI 3.0.

FastStream tells of each service's subscribers and publishers, of which batches of raw records are
its whole knowledge. What it cannot know is completed here from the registry of events: each topic
is one channel with its messages by type, their headers and the schemas of their bodies; topics that
a process reads whole, without a group, are operations too.
"""

import importlib.metadata
import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
import yaml
from faststream.specification import AsyncAPI

import libs.events  # noqa: F401  # declares every public type
from libs.events.envelope import CONTENT_TYPE, SEQUENCE_MAX, SPEC_VERSION
from libs.events.registry import Body, TypeSpec, all_types, spec_of
from libs.events.schemas import cleaned
from libs.events.topics import Topic, TopicSpec, topic_specs
from libs.runtime.broker import declared
from libs.runtime.set_aside import GROUP, ORIGIN, REASON, RELEASED, RETRY, SET_ASIDE
from libs.runtime.streams import Publication, Streams, Subscription

type Node = dict[str, Any]

MEDIA_TYPE: Final = "application/vnd.aai.asyncapi+yaml"
VERSION: Final = "3.0.0"
_SCHEMAS: Final = "#/components/schemas/{name}"
_TEXT: Final = {"type": "string"}
_WIDTH: Final = 100
# A key whose state is gone: of the compacted topic alone.
_TOMBSTONE: Final = "parley.directory.tombstone"


def document(services: Mapping[str, Streams], *, title: str, version: str) -> Node:
    """The document of these services, by name. ``version``: of Parley."""
    operations: Node = {}
    used: set[str] = set()
    for name, streams in services.items():
        for key, operation in _operations(name, streams):
            operations[key] = operation
            used |= {one["$ref"].split("/")[2] for one in operation["messages"]}
    specs = [spec for spec in topic_specs() if spec.name in used]
    messages = _messages()
    referred = {one for spec in specs for one in _messages_on(spec)}
    return {
        "asyncapi": VERSION,
        "info": {
            "title": title,
            "version": version,
            "description": "CloudEvents 1.0 in binary mode: attributes in headers, a JSON body."
            " Messages of one key are in order. A reader applies each once, however often it"
            " comes, and stops at a type or a value that only a newer version knows.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {spec.name: _channel(spec) for spec in specs},
        "operations": operations,
        "components": {
            "messages": {name: messages[name] for name in messages if name in referred},
            "schemas": _schemas(),
        },
    }


@cache
def of_service(service: str, streams: Streams) -> str:
    """One service's own part, as YAML."""
    described = document({service: streams}, title=f"Parley {service}", version=_version())
    return text_of(described)


def of_suite(services: Mapping[str, Streams]) -> str:
    """All services in one document, as YAML."""
    return text_of(document(services, title="Parley", version=_version()))


def _version() -> str:
    """Of Parley."""
    return importlib.metadata.version("parley-inbox")


def text_of(described: Node) -> str:
    """As YAML."""
    return str(yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=_WIDTH))


def _operations(service: str, streams: Streams) -> Iterator[tuple[str, Node]]:
    """FastStream's, in the order of the declarations, then those that it does not know."""
    broker = declared(service, streams)
    told = AsyncAPI(broker, schema_version=VERSION).to_specification().to_jsonable()
    found = {
        (one["action"], channel["address"], channel.get("description"))
        for one in told["operations"].values()
        for channel in [told["channels"][one["channel"]["$ref"].removeprefix("#/channels/")]]
    }
    for subscription in streams.subscriptions:
        for topic in subscription.topics:
            found.remove(("receive", topic.value, subscription.description))
            yield (
                f"{service}.{subscription.group}.{topic.value}",
                _receives(service, subscription, topic),
            )
    for publication in streams.publications:
        found.remove(("send", publication.topic.value, publication.description))
        yield f"{service}.publishes.{publication.topic.value}", _sends(service, publication)
    for action, address, description in sorted(found):
        names = ["dead-letter", "set-aside-marker"]
        yield (
            f"{service}.publishes.{address}",
            _operation(service, action, address, description, names),
        )
    for topic in streams.follows:
        yield (
            f"{service}.follows.{topic.value}",
            _operation(
                service,
                "receive",
                topic.value,
                "Every process reads all of it, without a group, for what it keeps in memory.",
                _names(topic, ()),
            ),
        )


def _receives(service: str, subscription: Subscription, topic: Topic) -> Node:
    operation = _operation(
        service,
        "receive",
        topic.value,
        subscription.description,
        _names(topic, subscription.messages),
    )
    group = {"type": "string", "enum": [subscription.group]}
    return operation | {"bindings": {"kafka": {"groupId": group, "bindingVersion": "0.5.0"}}}


def _sends(service: str, publication: Publication) -> Node:
    topic = publication.topic
    return _operation(
        service,
        "send",
        topic.value,
        publication.description,
        _names(topic, publication.messages),
    )


def _operation(
    service: str, action: str, address: str, description: str, names: Sequence[str]
) -> Node:
    channel = f"#/channels/{address}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "description": description,
        "tags": [{"name": service}],
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in names],
    }


def _names(topic: Topic, bodies: Sequence[type[Body]]) -> list[str]:
    """The messages' names of an operation on the topic; of none in particular: all of them."""
    if not bodies:
        return _on(topic)
    return sorted(spec.name for spec in map(spec_of, bodies) if spec.topic is topic)


def _on(topic: Topic) -> list[str]:
    names = [spec.name for spec in all_types() if spec.topic is topic]
    return [*names, _TOMBSTONE] if topic is Topic.DIRECTORY else names


def _messages_on(spec: TopicSpec) -> list[str]:
    if spec.name in tuple(Topic):
        return _on(Topic(spec.name))
    return ["dead-letter", "set-aside-marker"]


def _channel(spec: TopicSpec) -> Node:
    kept: Node = (
        {"cleanup.policy": ["compact"]}
        if spec.retention_ms is None
        else {"cleanup.policy": ["delete"], "retention.ms": spec.retention_ms}
    )
    if spec.message_max_bytes is not None:
        kept["max.message.bytes"] = spec.message_max_bytes
    return {
        "address": spec.name,
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in _messages_on(spec)
        },
        "bindings": {
            "kafka": {
                "topic": spec.name,
                "partitions": spec.partitions,
                "topicConfiguration": kept,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _messages() -> Node:
    messages = {spec.name: _message(spec) for spec in all_types()}
    return messages | {
        _TOMBSTONE: {
            "name": _TOMBSTONE,
            "summary": "What the key names is gone from the directory. There is no value.",
            "headers": {"$ref": _SCHEMAS.format(name="CloudEvent")},
            "payload": {"type": "null"},
        },
        "dead-letter": {
            "name": "dead-letter",
            "summary": "A message that could not be applied: its own key, bytes and headers.",
            "contentType": "application/octet-stream",
            "headers": {"$ref": _SCHEMAS.format(name="DeadLetter")},
            "payload": {},
        },
        "set-aside-marker": {
            "name": "set-aside-marker",
            "summary": "A letter was applied after all, or a person asks a group to try again.",
            "headers": {"$ref": _SCHEMAS.format(name="SetAsideMarker")},
            "payload": {"type": "null"},
        },
    }


def _message(spec: TypeSpec) -> Node:
    summary = inspect.cleandoc(spec.body.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return {
        "name": spec.name,
        "summary": summary,
        "contentType": CONTENT_TYPE,
        "headers": {
            "allOf": [
                {"$ref": _SCHEMAS.format(name="CloudEvent")},
                {"type": "object", "properties": {"ce_type": {"const": spec.name}}},
            ]
        },
        "payload": dict(_of_bodies()[0][spec.name]),
    }


@cache
def _of_bodies() -> tuple[Mapping[str, Node], Node]:
    """The reference to each type's schema, and all schemas by name. Together, because two types of
    the same class's name have longer ones."""
    specs = all_types()
    refs, components = msgspec.json.schema_components(
        [spec.body for spec in specs], ref_template=_SCHEMAS
    )
    named = {spec.name: ref for spec, ref in zip(specs, refs, strict=True)}
    return named, cleaned(dict(sorted(components.items())))


def _schemas() -> Node:
    of_headers = {"CloudEvent": _CLOUD_EVENT, "DeadLetter": _DEAD_LETTER, "SetAsideMarker": _MARKER}
    return of_headers | _of_bodies()[1]


_CLOUD_EVENT: Final[Node] = {
    "type": "object",
    "description": "The attributes of CloudEvents 1.0 as Kafka headers, UTF-8.",
    "properties": {
        "ce_specversion": {"const": SPEC_VERSION},
        "ce_id": _TEXT | {"description": "The same each time that the event is published."},
        "ce_type": _TEXT,
        "ce_source": _TEXT,
        "ce_subject": _TEXT | {"description": "The stream that the event belongs to."},
        "ce_time": _TEXT | {"format": "date-time", "description": "When it happened."},
        "ce_workspace": _TEXT,
        "ce_sequence": {
            "type": "integer",
            "minimum": 0,
            "maximum": SEQUENCE_MAX,
            "description": "Its number in its stream, without gaps from 1; 0: there is no stream.",
        },
        "ce_commit": _TEXT
        | {"description": "Stream, version and hash of the commit that it is of, with colons."},
        "content-type": {"const": CONTENT_TYPE},
        "traceparent": _TEXT,
        "tracestate": _TEXT,
    },
    "required": [
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_subject",
        "ce_time",
        "ce_workspace",
        "ce_sequence",
    ],
}
_DEAD_LETTER: Final[Node] = {
    "type": "object",
    "description": "Beside the headers that the message came with.",
    "properties": {
        REASON: _TEXT,
        GROUP: _TEXT | {"description": "The consumer group that could not apply it."},
        ORIGIN: _TEXT | {"description": "Topic, partition and offset, with colons."},
        SET_ASIDE: {
            "enum": ["unexpected", "waits"],
            "description": "It is tried again; waits: behind one of its stream.",
        },
    },
    "required": [REASON, GROUP, ORIGIN],
}
_MARKER: Final[Node] = {
    "type": "object",
    "properties": {
        GROUP: _TEXT,
        RELEASED: _TEXT | {"description": "The origin of the letter that is set aside no more."},
        RETRY: {"const": "1"},
    },
    "required": [GROUP],
}
