"""The webhook over real HTTP, into the real Kafka."""

from typing import Any

import pytest

from libs.events.inbound import InboundReceived
from tests.services.ingest.conftest import IDS, SOURCE_ID, WORKSPACE, Ingest
from tests.support.kafka import read_events

pytestmark = pytest.mark.servers


def text_update(update_id: int = 1, message_id: int = 10, text: str = "hello") -> dict[str, Any]:
    person = {"id": 42, "is_bot": False, "first_name": "Anna"}
    return {
        "update_id": update_id,
        "message": {
            "message_id": message_id,
            "from": person,
            "chat": {"id": 42, "first_name": "Anna", "type": "private"},
            "date": 1760000000,
            "text": text,
        },
    }


async def test_a_message_is_on_kafka_before_the_answer(ingest: Ingest) -> None:
    async with ingest.running() as client:
        assert await client.hook(text_update()) == 200

        events = await read_events(ingest.bootstrap, ingest.topic("parley.inbound"), 1)
    event = events[0]
    assert isinstance(event.body, InboundReceived)
    assert event.body.content.text == "hello"
    assert event.body.conversation_id == event.key == IDS.conversation(SOURCE_ID, "42")
    assert event.id == event.body.cause
    assert event.workspace_id == WORKSPACE
