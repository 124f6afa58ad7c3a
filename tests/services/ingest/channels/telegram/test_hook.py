"""The webhook over real HTTP, into the real Kafka."""

import time

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client import generate_latest

from libs.events.inbound import InboundDeleted, InboundReceived
from services.ingest.channels.telegram.limits import WEBHOOK_MAX_BYTES
from tests.support.eventually import eventually
from tests.support.ingest.service import ANNA, WORKSPACE, Ingest, Live, Shop, telegram_source
from tests.support.ingest.updates import text_update
from tests.support.kafka import publish_state, read_records

pytestmark = pytest.mark.servers


async def nothing_but(shop: Shop, text: str) -> None:
    """Of this bot's chat, only what follows now is written."""
    assert await shop.hook(text_update(99, 99, text)) == 200
    events = await shop.inbound(1)
    assert [e.body.content.text for e in events if isinstance(e.body, InboundReceived)] == [text]


async def test_a_message_is_on_kafka_before_the_answer(shop: Shop) -> None:
    assert await shop.hook(text_update()) == 200

    [event] = await shop.inbound(1)
    assert isinstance(event.body, InboundReceived)
    assert event.body.content.text == "hello"
    assert event.body.conversation_id == event.key == shop.conversation()
    assert event.id == event.body.cause
    assert event.workspace_id == WORKSPACE


async def test_a_repeated_webhook_is_the_same_event_again(shop: Shop) -> None:
    assert [await shop.hook(text_update()) for _ in range(2)] == [200, 200]

    assert len({event.id for event in await shop.inbound(2)}) == 1


async def test_what_was_deleted_at_once_is_one_event(shop: Shop) -> None:
    gone = {
        "business_connection_id": "bc_1",
        "chat": {"id": 42, "first_name": "Anna", "type": "private"},
        "message_ids": [10, 11],
    }
    assert await shop.hook({"update_id": 7, "deleted_business_messages": gone}) == 200

    [event] = await shop.inbound(1, "business:bc_1:42")
    assert isinstance(event.body, InboundDeleted)
    assert (event.body.external_message_id, event.body.more) == ("10", ("11",))
    assert "deleted_business_messages" in shop.bot.webhook["allowed_updates"]


async def test_who_does_not_prove_to_be_telegram_writes_nothing(live: Live, shop: Shop) -> None:
    assert await shop.hook(text_update(), secret=None) == 401
    assert await shop.hook(text_update(), secret="guess") == 403
    assert await shop.hook(text_update(), secret="ключ".encode().decode("latin-1")) == 403
    assert await shop.hook(b"{", secret=None) == 401

    await nothing_but(shop, "the real one")
    metrics = generate_latest().decode()
    assert 'parley_ingest_refused_total{channel="telegram",reason="forged"}' in metrics


async def test_a_forged_webhook_is_refused_before_its_body_is_there(live: Live, shop: Shop) -> None:
    head = f"POST /hooks/telegram/{shop.source.source_id} HTTP/1.1\r\nHost: x\r\n"
    status_line = await live.client.answer_to(head + "Content-Length: 100000\r\n\r\n")
    assert b" 401 " in status_line


async def test_unknown_and_disconnected_sources(live: Live, shop: Shop) -> None:
    assert await live.client.hook(text_update(), source="src_unknown") == 404
    await live.connect(shop.source)
    gone = msgspec.structs.replace(shop.source, connected=False)
    await publish_state(live.publisher, gone, gone.source_id, WORKSPACE)
    await until_answered(shop, 404)


async def test_a_new_secret_takes_the_place_of_the_old(live: Live, shop: Shop) -> None:
    assert await shop.hook(text_update()) == 200
    await live.connect(telegram_source(shop.bot.token, secret="next"))
    assert await shop.hook(text_update(), secret="next") == 200
    # Until Telegram was told, which happens by itself, it sends the former.
    await until_answered(shop, 403)
    assert shop.bot.webhook["secret_token"] == "next"
    assert await shop.hook(text_update(), secret="next") == 200


async def test_credentials_sealed_with_another_key(live: Live, shop: Shop) -> None:
    other = msgspec.structs.replace(shop.source, sealed_credentials="AAAA")
    await publish_state(live.publisher, other, other.source_id, WORKSPACE)
    await until_answered(shop, 503)


async def until_answered(shop: Shop, status: int) -> None:
    await eventually(lambda: shop.hook(text_update()), lambda answer: answer == status)


async def test_a_body_over_the_limit(shop: Shop) -> None:
    assert await shop.hook(text_update(text="x" * WEBHOOK_MAX_BYTES)) == 413
    await nothing_but(shop, "short")


@pytest.mark.parametrize(
    "raw", [b'{"update_id": 1, "message": {"message_id"', b"\xff\x00", b'{"update_id": "x"}']
)
async def test_what_telegram_sends_and_nobody_can_read_is_kept(
    live: Live, shop: Shop, raw: bytes
) -> None:
    assert await shop.hook(raw) == 200

    key = shop.source.source_id.encode()
    bootstrap = live.environment["PARLEY_KAFKA_BOOTSTRAP_SERVERS"]
    letters = await read_records(
        bootstrap,
        live.topic("parley.inbound.dead"),
        lambda found: any(one.key == key for one in found),
    )
    [letter] = [one for one in letters if one.key == key]
    headers = dict(letter.headers)
    assert letter.value == raw
    assert headers["parley_dead_origin"] == f"webhook:telegram:{shop.source.source_id}".encode()
    assert headers["ce_workspace"] == WORKSPACE.encode()
    assert not any(b"s3cret" in value for value in headers.values())


async def test_what_is_no_message_is_answered_and_not_written(shop: Shop) -> None:
    update = {"update_id": 5, "my_chat_member": {"chat": {"id": ANNA, "type": "private"}}}
    assert await shop.hook(update) == 200
    await nothing_but(shop, "a message")


async def test_the_double_delivers_like_telegram(live: Live, shop: Shop) -> None:
    """Its webhook was registered by ingest itself; only the host is put right here."""
    path = f"/hooks/telegram/{shop.source.source_id}"
    assert shop.bot.webhook["url"].endswith(path)
    shop.bot.webhook["url"] = live.client.url(path)
    update = shop.bot.next_update("message", shop.bot.message_from({"id": ANNA}, text="hi"))
    assert await live.telegram.deliver(shop.bot, update) == [200]

    shop.bot.webhook["secret_token"] = "wrong"
    assert await live.telegram.deliver(shop.bot, update, attempts=2) == [403, 403]


async def test_while_kafka_cannot_take_it_the_platform_hears_so_in_time(ingest: Ingest) -> None:
    async with ingest.running(PARLEY_INGEST_PUBLISH_TIMEOUT_SECONDS="0.5") as client:
        admin = AIOKafkaAdminClient(bootstrap_servers=ingest.bootstrap)
        await admin.start()
        await admin.delete_topics([ingest.topic("parley.inbound")])
        await admin.close()

        started = time.monotonic()
        assert await client.hook(text_update()) == 503
        assert time.monotonic() - started < 2
