"""Sending, against a double of the Bot API over HTTP, through the real Kafka and MongoDB."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from libs.devstack.ports import free_port
from libs.events.content import Channel, Content
from libs.events.directory import SourceState
from libs.events.inbound import DeliveryChanged
from libs.events.outbound import OutboundRequested
from libs.runtime.kafka import Outgoing, Publisher, outgoing
from parley.doubles.bot_api import Bot, BotApiDouble
from services.ingest.sending.attempts import Attempt, Attempts, result_of
from services.ingest.sending.port import Sent
from tests.services.ingest.conftest import (
    ANNA,
    BORIS,
    BOT_TOKEN,
    IDS,
    SOURCE_ID,
    WORKSPACE,
    Ingest,
    telegram_source,
)
from tests.support.kafka import envelope, publish_state, read_events, read_records

pytestmark = pytest.mark.servers

AttemptsOf = Callable[[str], Attempts]


@pytest.fixture
async def attempts(ingest: Ingest) -> AsyncIterator[AttemptsOf]:
    """Of a replica by its name: one that dies as soon as it has written."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        ingest.environment["PARLEY_MONGODB_URL"], tz_aware=True
    )
    async with client:
        database = client[ingest.environment["PARLEY_MONGODB_DATABASE"]]
        yield lambda owner: Attempts(database["ingest_attempts"], owner, timedelta(0))


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


async def test_order_within_a_conversation_and_others_beside_it(
    ingest: Ingest, bot: Bot, publisher: Publisher
) -> None:
    await ask(publisher, *(request(f"msg_{n}", str(n)) for n in range(5)))
    await ask(publisher, request("msg_boris", "to Boris", BORIS))
    async with ingest.running():
        await deliveries(ingest, 6)

    by_chat = [[one.text for one in bot.sent if one.chat_id == chat] for chat in (ANNA, BORIS)]
    assert by_chat == [["0", "1", "2", "3", "4"], ["to Boris"]]


async def test_asked_twice_sent_once_and_told_twice(
    ingest: Ingest, bot: Bot, publisher: Publisher
) -> None:
    await ask(publisher, request("msg_1"), request("msg_1"))
    async with ingest.running():
        await deliveries(ingest, 1)
        await ask(publisher, request("msg_1"))
        events = await read_events(ingest.bootstrap, ingest.topic("parley.delivery"), 2)

    assert len(bot.sent) == 1
    assert len({event.id for event in events}) == 1


async def test_what_telegram_refuses_has_failed_in_its_words(
    ingest: Ingest, bot: Bot, publisher: Publisher
) -> None:
    bot.blocked_by.add(BORIS)
    await ask(publisher, request("msg_unknown", chat=99), request("msg_blocked", chat=BORIS))
    await ask(publisher, request("msg_long", "x" * 4097), request("msg_after", "still sent"))
    async with ingest.running():
        told = await deliveries(ingest, 4)

    assert told["msg_unknown"].state == "failed"
    assert told["msg_unknown"].reason == "Bad Request: chat not found"
    assert told["msg_blocked"].reason_code == "telegram-403"
    assert told["msg_long"].reason_code == "too-long"
    assert told["msg_after"].state == "sent"


async def test_a_source_that_is_gone_and_a_token_that_is_revoked(
    ingest: Ingest, telegram: BotApiDouble, bot: Bot, publisher: Publisher
) -> None:
    revoked = telegram_source("777:revoked")
    await publish_state(publisher, revoked, revoked.source_id, WORKSPACE)
    await ask(
        publisher,
        request("msg_gone", source_id="src_gone", conversation_id="cnv_gone"),
        request("msg_revoked", source_id=revoked.source_id, conversation_id="cnv_revoked"),
    )
    async with ingest.running():
        told = await deliveries(ingest, 2)

    assert told["msg_gone"].reason_code == "source-not-connected"
    assert told["msg_revoked"].reason_code == "telegram-401"


async def test_a_pause_that_telegram_asks_for_is_kept_and_others_go_on(
    ingest: Ingest, telegram: BotApiDouble, bot: Bot, publisher: Publisher
) -> None:
    other_token = "777:other"
    other = telegram_source(other_token)
    other_bot = telegram.add_bot(other_token)
    other_bot.chats.add(ANNA)
    await publish_state(publisher, other, other.source_id, WORKSPACE)
    bot.too_many(retry_after=2)
    async with ingest.running():
        started = time.monotonic()
        await ask(publisher, request("msg_1"))
        await ask(
            publisher, request("msg_2", source_id=other.source_id, conversation_id="cnv_other")
        )
        await deliveries(ingest, 1)
        assert len(other_bot.sent) == 1
        told = await deliveries(ingest, 2)

    assert told["msg_1"].state == "sent"
    assert len(bot.sent) == 1
    assert bot.calls == 2
    assert bot.sent[0].at - started >= 2


async def test_nobody_knows_whether_it_was_sent(
    ingest: Ingest, bot: Bot, publisher: Publisher
) -> None:
    bot.break_next()
    bot.refuse_next(502, "Bad Gateway")
    await ask(publisher, request("msg_cut"), request("msg_502"), request("msg_after"))
    async with ingest.running():
        told = await deliveries(ingest, 3)

    assert [told[f"msg_{name}"].state for name in ("cut", "502", "after")] == [
        "uncertain",
        "uncertain",
        "sent",
    ]
    assert bot.calls == 3


async def test_what_was_not_reached_is_sent_when_it_is(
    ingest: Ingest, bot: Bot, publisher: Publisher
) -> None:
    port = free_port()
    async with ingest.running(PARLEY_INGEST_TELEGRAM_API_URL=f"http://127.0.0.1:{port}"):
        await ask(publisher, request("msg_1"))
        await asyncio.sleep(1)
        async with BotApiDouble(port=port) as late:
            late_bot = late.add_bot(BOT_TOKEN)
            late_bot.chats.add(ANNA)
            told = await deliveries(ingest, 1)

            assert told["msg_1"].state == "sent"
            assert len(late_bot.sent) == 1


async def test_an_attempt_without_an_end_is_uncertain_and_never_repeated(
    ingest: Ingest, bot: Bot, publisher: Publisher, attempts: AttemptsOf
) -> None:
    dead = attempts("snd_dead")
    asked = request("msg_1")
    await dead.insert([Attempt(WORKSPACE, 0, asked, datetime.now(UTC))], [])
    assert await dead.begin(["msg_1"]) == [True]
    await ask(publisher, asked)
    async with ingest.running():
        told = await deliveries(ingest, 1)

    assert told["msg_1"].state == "uncertain"
    assert bot.calls == 0


async def test_an_attempt_not_yet_begun_by_a_dead_replica_is_sent_in_order(
    ingest: Ingest, bot: Bot, publisher: Publisher, attempts: AttemptsOf
) -> None:
    dead = attempts("snd_dead")
    waiting = Attempt(WORKSPACE, -1, request("msg_0", "0"), datetime.now(UTC))
    await dead.insert([waiting], [])
    await ask(publisher, request("msg_1", "1"), request("msg_2", "2"))
    async with ingest.running():
        await deliveries(ingest, 3)

    assert [one.text for one in bot.sent] == ["0", "1", "2"]


async def test_an_end_that_was_not_told_is_told(
    ingest: Ingest, bot: Bot, attempts: AttemptsOf
) -> None:
    dead = attempts("snd_dead")
    attempt = Attempt(WORKSPACE, 0, request("msg_1"), datetime.now(UTC))
    await dead.insert([attempt], [])
    await dead.begin(["msg_1"])
    await dead.end([result_of(attempt, Sent(("501",)), datetime.now(UTC))])
    async with ingest.running():
        told = await deliveries(ingest, 1)

    assert told["msg_1"].state == "sent"
    assert told["msg_1"].external_message_ids == ("501",)
    assert bot.calls == 0


async def test_a_lost_lease_is_no_leave_to_send(attempts: AttemptsOf) -> None:
    first, second = attempts("snd_1"), attempts("snd_2")
    await first.insert([Attempt(WORKSPACE, 0, request("msg_1"), datetime.now(UTC))], [])
    lapsed = (await first.find(["msg_1"]))["msg_1"]
    assert await second.claim(lapsed)

    assert await first.begin(["msg_1"]) == [False]
    assert not await first.claim(lapsed)
    assert await second.begin(["msg_1"]) == [True]


async def test_what_is_settled_is_not_kept(
    ingest: Ingest, bot: Bot, publisher: Publisher, attempts: AttemptsOf
) -> None:
    await ask(publisher, request("msg_1", "a secret"))
    async with ingest.running():
        await deliveries(ingest, 1)
    kept = (await attempts("snd_x").find(["msg_1"]))["msg_1"]
    assert "a secret" not in str(kept)


async def test_a_poison_message_is_buried_and_the_next_is_sent(
    ingest: Ingest, bot: Bot, publisher: Publisher
) -> None:
    good = outgoing(envelope(request("msg_1"), "cnv", WORKSPACE))
    poison = Outgoing(good.topic, good.key, b"{", good.headers)
    await publisher.publish([poison, good])
    async with ingest.running():
        told = await deliveries(ingest, 1)
        dead = await read_records(
            ingest.bootstrap, ingest.topic("parley.outbound.dead"), lambda found: len(found) > 0
        )

    assert told["msg_1"].state == "sent"
    assert dead[0].value == b"{"


async def test_the_widget_has_its_answer_at_once(ingest: Ingest, publisher: Publisher) -> None:
    widget = SourceState(
        source_id="src_widget",
        channel=Channel.WIDGET,
        name="Site",
        location_id="loc_1",
        account="w1",
    )
    await publish_state(publisher, widget, "src_widget", WORKSPACE)
    await ask(
        publisher,
        request("msg_1", source_id="src_widget", channel=Channel.WIDGET, thread="visitor"),
    )
    async with ingest.running():
        told = await deliveries(ingest, 1)
    assert told["msg_1"].state == "sent"
