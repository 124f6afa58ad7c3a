"""Sending, against a double of the Bot API over HTTP, through the real Kafka and MongoDB."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.events.content import Channel, Content
from libs.events.inbound import DeliveryChanged
from libs.events.outbound import OutboundRequested
from libs.runtime.kafka import Publisher, outgoing
from parley.doubles.bot_api import Bot, BotApiDouble
from tests.services.ingest.conftest import BOT_TOKEN, IDS, SOURCE_ID, WORKSPACE, Ingest
from tests.support.kafka import envelope, read_events

pytestmark = pytest.mark.servers

ANNA = 42
BORIS = 43


@pytest.fixture
async def telegram() -> AsyncIterator[BotApiDouble]:
    async with BotApiDouble() as double:
        yield double


@pytest.fixture
def bot(telegram: BotApiDouble, ingest: Ingest) -> Bot:
    ingest.environment["PARLEY_INGEST_TELEGRAM_API_URL"] = telegram.url
    bot = telegram.add_bot(BOT_TOKEN)
    bot.chats |= {ANNA, BORIS}
    return bot


def request(
    message_id: str, text: str = "hello", chat: int = ANNA, **more: Any
) -> OutboundRequested:
    return OutboundRequested(
        **{
            "message_id": message_id,
            "conversation_id": IDS.conversation(SOURCE_ID, str(chat)),
            "case_id": "cas_1",
            "source_id": SOURCE_ID,
            "channel": Channel.TELEGRAM,
            "thread": str(chat),
            "content": Content(text=text),
            "requested_at": datetime.now(UTC),
            "member_id": "mem_1",
            **more,
        }
    )


async def ask(publisher: Publisher, *requests: OutboundRequested) -> None:
    await publisher.publish(
        [outgoing(envelope(one, one.conversation_id, WORKSPACE)) for one in requests]
    )


async def deliveries(ingest: Ingest, count: int) -> dict[str, DeliveryChanged]:
    """The last state of each message, out of the first ``count`` changes."""
    events = await read_events(ingest.bootstrap, ingest.topic("parley.delivery"), count)
    return {e.body.message_id: e.body for e in events if isinstance(e.body, DeliveryChanged)}


async def test_a_reply_is_sent_and_told(ingest: Ingest, bot: Bot, publisher: Publisher) -> None:
    await ask(publisher, request("msg_1", "first", reply_to_external="7"))
    async with ingest.running():
        told = await deliveries(ingest, 1)

    assert [one.text for one in bot.sent] == ["first"]
    assert bot.sent[0].fields["reply_parameters"]["message_id"] == 7
    assert told["msg_1"].state == "sent"
    assert told["msg_1"].external_message_ids == (str(bot.sent[0].message_id),)


async def test_order_within_a_conversation(ingest: Ingest, bot: Bot, publisher: Publisher) -> None:
    await ask(publisher, *(request(f"msg_{n}", str(n)) for n in range(5)))
    async with ingest.running():
        await deliveries(ingest, 5)

    assert [one.text for one in bot.sent] == ["0", "1", "2", "3", "4"]
