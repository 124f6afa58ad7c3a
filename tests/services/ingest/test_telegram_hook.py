"""The webhook over real HTTP, into the real Kafka."""

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from libs.events.inbound import InboundReceived
from libs.runtime.kafka import Publisher
from services.ingest.channels.telegram.limits import WEBHOOK_MAX_BYTES
from tests.services.ingest.conftest import (
    IDS,
    SOURCE_ID,
    WORKSPACE,
    Ingest,
    telegram_source,
)
from tests.support.kafka import count_records, publish_state, read_events, read_records

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


async def written(ingest: Ingest) -> int:
    return await count_records(ingest.bootstrap, ingest.topic("parley.inbound"))


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


async def test_a_repeated_webhook_is_the_same_event_again(ingest: Ingest) -> None:
    async with ingest.running() as client:
        assert [await client.hook(text_update()) for _ in range(2)] == [200, 200]

        events = await read_events(ingest.bootstrap, ingest.topic("parley.inbound"), 2)
    assert len({event.id for event in events}) == 1


async def test_who_does_not_prove_to_be_telegram_writes_nothing(ingest: Ingest) -> None:
    async with ingest.running() as client:
        assert await client.hook(text_update(), secret=None) == 401
        assert await client.hook(text_update(), secret="guess") == 403
        assert await client.hook(text_update(), secret="ключ".encode().decode("latin-1")) == 403
        assert await client.hook(b"{", secret=None) == 401
        async with client.session.get("/metrics") as answer:
            metrics = await answer.text()

    assert await written(ingest) == 0
    assert 'parley_ingest_refused_total{channel="telegram",reason="forged"}' in metrics


async def test_a_forged_webhook_is_refused_before_its_body_is_there(ingest: Ingest) -> None:
    async with ingest.running() as client:
        at = urlsplit(str(client.session._base_url))
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        writer.write(
            f"POST /hooks/telegram/{SOURCE_ID} HTTP/1.1\r\nHost: x\r\n"
            "Content-Length: 100000\r\n\r\n".encode()
        )

        async with asyncio.timeout(5):
            status_line = await reader.readline()

        writer.close()
        await writer.wait_closed()
    assert b" 401 " in status_line


async def test_unknown_and_disconnected_sources(ingest: Ingest, publisher: Publisher) -> None:
    gone = telegram_source("777:token", connected=False)
    await publish_state(publisher, gone, gone.source_id, WORKSPACE)
    async with ingest.running() as client:
        assert await client.hook(text_update(), source="src_unknown") == 404
        assert await client.hook(text_update(), source=gone.source_id) == 404


async def test_a_new_secret_takes_the_place_of_the_old(
    ingest: Ingest, publisher: Publisher
) -> None:
    async with ingest.running() as client:
        assert await client.hook(text_update()) == 200
        await publish_state(publisher, telegram_source(secret="next"), SOURCE_ID, WORKSPACE)
        async with asyncio.timeout(10):
            while await client.hook(text_update(), secret="next") != 200:  # noqa: ASYNC110  # over HTTP
                await asyncio.sleep(0.02)
        assert await client.hook(text_update()) == 403


async def test_credentials_sealed_with_another_key(ingest: Ingest, publisher: Publisher) -> None:
    other = msgspec.structs.replace(telegram_source("778:token"), sealed_credentials="AAAA")
    await publish_state(publisher, other, other.source_id, WORKSPACE)
    async with ingest.running() as client:
        assert await client.hook(text_update(), source=other.source_id) == 503


async def test_a_body_over_the_limit(ingest: Ingest) -> None:
    body = json.dumps(text_update(text="x" * WEBHOOK_MAX_BYTES)).encode()
    async with ingest.running() as client:
        assert await client.hook(body) == 413
    assert await written(ingest) == 0


@pytest.mark.parametrize(
    "raw", [b'{"update_id": 1, "message": {"message_id"', b"\xff\x00", b'{"update_id": "x"}']
)
async def test_what_telegram_sends_and_nobody_can_read_is_kept(ingest: Ingest, raw: bytes) -> None:
    async with ingest.running() as client:
        assert await client.hook(raw) == 200

        letters = await read_records(
            ingest.bootstrap, ingest.topic("parley.inbound.dead"), lambda found: len(found) > 0
        )
    headers = dict(letters[0].headers)
    assert letters[0].value == raw
    assert headers["parley_dead_origin"] == f"webhook:telegram:{SOURCE_ID}".encode()
    assert headers["ce_workspace"] == WORKSPACE.encode()
    assert not any(b"s3cret" in value for value in headers.values())


async def test_what_is_no_message_is_answered_and_not_written(ingest: Ingest) -> None:
    update = {"update_id": 5, "my_chat_member": {"chat": {"id": 1, "type": "private"}}}
    async with ingest.running() as client:
        assert await client.hook(update) == 200
    assert await written(ingest) == 0


async def test_while_kafka_cannot_take_it_the_platform_hears_so_in_time(ingest: Ingest) -> None:
    async with ingest.running(PARLEY_INGEST_PUBLISH_TIMEOUT_SECONDS="0.5") as client:
        admin = AIOKafkaAdminClient(bootstrap_servers=ingest.bootstrap)
        await admin.start()
        await admin.delete_topics([ingest.topic("parley.inbound")])
        await admin.close()

        started = time.monotonic()
        assert await client.hook(text_update()) == 503
        assert time.monotonic() - started < 2
