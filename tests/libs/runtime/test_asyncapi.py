"""The document of what the services read from Kafka and write to it: whole, current and valid."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from fastapi import FastAPI
from msgspec.structs import fields
from starlette.types import ASGIApp

from libs.events.registry import all_types
from libs.events.topics import Topic, topic_specs
from libs.runtime.asyncapi import MEDIA_TYPE, of_suite
from libs.runtime.http import service_app
from libs.runtime.process import Runtime, ServiceSpec, running
from libs.runtime.settings import SERVICES, Settings, load
from libs.runtime.streams import Streams
from parley.asyncapi import DOCUMENT, streams
from parley.node import node
from tests.support.node import installed

CHECK = DOCUMENT.parent / "check-asyncapi"


@pytest.fixture(scope="module")
def written() -> str:
    return of_suite(streams())


@pytest.fixture(scope="module")
def document(written: str) -> Any:
    return yaml.safe_load(written)


def named(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def test_the_document_is_current(written: str) -> None:
    assert DOCUMENT.read_text() == written, "run python -m parley.asyncapi"


def test_every_topic_is_a_channel_and_kept_as_it_is_made(document: Any) -> None:
    channels = document["channels"]
    twins = {twin for twin in channels if twin.endswith(".dead")}

    assert set(channels) - twins == {topic.value for topic in Topic}
    for spec in topic_specs():
        if spec.name in channels:
            kept = channels[spec.name]["bindings"]["kafka"]
            assert kept["partitions"] == spec.partitions
            assert kept["topicConfiguration"].get("retention.ms") == spec.retention_ms


def test_every_public_type_is_a_message_of_its_topic_with_headers_and_a_body(document: Any) -> None:
    for spec in all_types():
        assert spec.name in document["channels"][spec.topic.value]["messages"]
        message = document["components"]["messages"][spec.name]
        shared, own = message["headers"]["allOf"]
        assert "ce_workspace" in document["components"]["schemas"][named(shared)]["required"]
        assert own["properties"]["ce_type"] == {"const": spec.name}
        body = document["components"]["schemas"][named(message["payload"])]
        assert set(body["properties"]) == {field.encode_name for field in fields(spec.body)}


@pytest.mark.parametrize("service", SERVICES)
def test_all_that_a_service_declares_is_an_operation_of_it(document: Any, service: str) -> None:
    declared = streams()[service]
    operations = {
        key: one
        for key, one in document["operations"].items()
        if one["tags"] == [{"name": service}]
    }
    groups = {
        one["bindings"]["kafka"]["groupId"]["enum"][0]: {named(m) for m in one["messages"]}
        for one in operations.values()
        if "bindings" in one and named(one["channel"]) == Topic.CONVERSATION
    }
    sent = {named(one["channel"]) for one in operations.values() if one["action"] == "send"}

    for subscription in declared.subscriptions:
        for topic in subscription.topics:
            assert f"{service}.{subscription.group}.{topic.value}" in operations
            assert topic.dead_letter in sent
        if subscription.messages and Topic.CONVERSATION in subscription.topics:
            types = {spec.name for spec in all_types() if spec.body in subscription.messages}
            on_topic = {s.name for s in all_types() if s.topic is Topic.CONVERSATION}
            assert groups[subscription.group] == types & on_topic
    assert {one.topic.value for one in declared.publications} <= sent
    assert all(f"{service}.follows.{topic.value}" in operations for topic in declared.follows)


async def test_a_service_serves_its_own_part_to_its_operator() -> None:
    told: list[Runtime] = []

    @asynccontextmanager
    async def compose(_settings: Settings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
        told.append(runtime)
        app: FastAPI = service_app(runtime, "tests")
        yield app

    declared = Streams(follows=(Topic.DIRECTORY,))
    spec = ServiceSpec("tests", Settings, compose, public=True, streams=declared)
    given = {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "PARLEY_DEPLOYMENT_KEY": bytes(range(32)).hex(),
    }
    settings = load(Settings, given)
    async with running(spec, settings) as (url, _), aiohttp.ClientSession() as session:
        async with session.get(f"{url}/asyncapi.yaml") as answer:
            assert answer.status == 404
        inside = f"http://127.0.0.1:{told[0].operations_port}"
        async with session.get(f"{inside}/asyncapi.yaml") as answer:
            assert answer.content_type == MEDIA_TYPE
            served = yaml.safe_load(await answer.read())

    assert list(served["channels"]) == [Topic.DIRECTORY.value]
    assert list(served["operations"]) == ["tests.follows.parley.directory"]


def test_the_specifications_own_parser_finds_nothing_wrong(tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.yaml"
    spoilt.write_text(DOCUMENT.read_text().replace("action: receive", "action: eat", 1))
    folder = installed(CHECK)

    assert checked(folder, DOCUMENT) == (0, "")
    code, told = checked(folder, spoilt)
    assert code == 1
    assert told.startswith("error at operations.")


def checked(folder: Path, document: Path) -> tuple[int, str]:
    """How the check ended, and what it found."""
    shutil.copy(CHECK / "check.mjs", folder)
    done = node(folder, "check.mjs", document)
    return done.returncode, done.stderr
