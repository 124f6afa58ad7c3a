"""Sending, against a double of the Bot API over HTTP, through the real Kafka and MongoDB."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pymongo import AsyncMongoClient

from libs.devstack.ports import free_port
from libs.events.content import Channel
from libs.events.directory import SourceState
from libs.events.inbound import DeliveryChanged
from libs.events.outbound import OutboundEditRequested
from libs.runtime.kafka import Outgoing, Publisher, outgoing
from parley.doubles.bot import Bot
from parley.doubles.bot_api import BotApiDouble
from services.ingest.ports.sending import Request, Sent
from services.ingest.sending.attempts import Attempt, Attempts, result_of
from tests.support.eventually import eventually
from tests.support.ingest.attempts import AttemptsOf, Database, request
from tests.support.ingest.service import (
    ANNA,
    BORIS,
    BOT_TOKEN,
    WORKSPACE,
    Ingest,
    Live,
    Shop,
    telegram_source,
)
from tests.support.kafka import envelope, read_events, read_records

pytestmark = pytest.mark.servers


def edit(number: int, text: str, external: str) -> OutboundEditRequested:
    """Of the message msg_0, which Telegram has as ``external``."""
    sent = msgspec.structs.asdict(request("msg_0", text))
    fields = {name: sent[name] for name in sent if name in OutboundEditRequested.__struct_fields__}
    return OutboundEditRequested(
        **{
            **fields,
            "request_id": f"msg_0.edit.{number}",
            "external_message_ids": (external,),
        }
    )


async def ask(publisher: Publisher, *requests: Request) -> None:
    await publisher.publish(
        [outgoing(envelope(one, one.conversation_id, WORKSPACE)) for one in requests]
    )


async def deliveries(ingest: Ingest, count: int) -> dict[str, DeliveryChanged]:
    """The last state of each message, out of the first ``count`` changes."""
    events = await read_events(ingest.bootstrap, ingest.topic("parley.delivery"), count)
    return {e.body.message_id: e.body for e in events if isinstance(e.body, DeliveryChanged)}


async def test_a_write_that_the_driver_repeated_counts_as_the_first(
    attempts: AttemptsOf,
) -> None:
    """Its first try was applied and its answer lost: the repeat meets the own document."""
    attempt = Attempt(WORKSPACE, 1, request("1"), datetime.now(UTC))

    assert await attempts("this").insert([attempt], []) == {"1"}
    assert await attempts("this").insert([attempt], []) == {"1"}
    assert await attempts("another").insert([attempt], []) == set()


async def test_a_reply_is_sent_and_told(shop: Shop) -> None:
    first = shop.request("1", "first", reply_to_external="7")
    # and one that quotes it before anybody knows its number there
    await shop.ask(first, shop.request("2", "second", reply_to=first.message_id))
    [told, _] = await shop.told("1", "2")

    [sent, quoting] = shop.bot.sent
    assert quoting.fields["reply_parameters"]["message_id"] == sent.message_id
    assert sent.text == "first"
    assert sent.fields["reply_parameters"]["message_id"] == 7
    assert told.state == "sent"
    assert told.external_message_ids == (str(sent.message_id),)


async def test_order_within_a_conversation_and_others_beside_it(shop: Shop) -> None:
    await shop.ask(*(shop.request(str(n), str(n)) for n in range(5)))
    await shop.ask(shop.request("boris", "to Boris", BORIS))
    await shop.told("0", "1", "2", "3", "4", "boris")

    by_chat = [[one.text for one in shop.bot.sent if one.chat_id == chat] for chat in (ANNA, BORIS)]
    assert by_chat == [["0", "1", "2", "3", "4"], ["to Boris"]]


async def test_a_business_chat_is_answered_through_its_connection(shop: Shop) -> None:
    await shop.ask(shop.request("1", thread=f"business:bc_1:{ANNA}"))
    await shop.told("1")

    assert shop.bot.sent[0].fields["business_connection_id"] == "bc_1"
    assert shop.bot.sent[0].chat_id == ANNA


async def test_asked_twice_sent_once_and_told_again(shop: Shop) -> None:
    await shop.ask(shop.request("1"), shop.request("1"))
    await shop.told("1")
    await shop.ask(shop.request("1"), shop.request("2"))
    await shop.told("2")

    assert len(shop.bot.sent) == 2
    states = await shop.live.delivery.until(lambda: ((c := shop.changes("1"))[1:] and c) or None)
    assert {one.state for one in states} == {"sent"}


async def test_what_telegram_refuses_has_failed_in_its_words(shop: Shop) -> None:
    shop.bot.blocked_by.add(BORIS)
    await shop.ask(shop.request("unknown", chat=99), shop.request("blocked", chat=BORIS))
    await shop.ask(shop.request("long", "x" * 4097), shop.request("after", "still sent"))
    unknown, blocked, long, after = await shop.told("unknown", "blocked", "long", "after")

    assert (unknown.state, unknown.reason) == ("failed", "Bad Request: chat not found")
    assert blocked.reason_code == "telegram-403"
    assert long.reason_code == "too-long"
    assert after.state == "sent"


async def test_a_source_that_is_gone_and_a_token_that_is_revoked(live: Live, shop: Shop) -> None:
    revoked = telegram_source(f"{shop.bot.id}7:revoked")
    await live.connect(revoked)
    await shop.ask(
        shop.request("gone", source_id="src_gone"),
        shop.request("revoked", source_id=revoked.source_id, conversation_id="cnv_revoked"),
    )
    gone, refused = await shop.told("gone", "revoked")

    assert gone.reason_code == "source-not-connected"
    assert refused.reason_code == "telegram-401"


async def test_a_pause_that_telegram_asks_for_is_kept_and_others_go_on(
    live: Live, shop: Shop
) -> None:
    other_token = f"{shop.bot.id}8:other"
    other = telegram_source(other_token)
    other_bot = live.telegram.add_bot(other_token)
    other_bot.chats.add(ANNA)
    await live.connect(other)
    shop.bot.too_many(retry_after=2)
    started = time.monotonic()
    await shop.ask(shop.request("1"))
    await shop.ask(shop.request("2", source_id=other.source_id, conversation_id="cnv_other"))
    [paused, _] = await shop.told("1", "2")

    assert paused.state == "sent"
    assert shop.bot.calls == 2
    assert shop.bot.sent[0].at - started >= 2
    assert other_bot.sent[0].at < shop.bot.sent[0].at


async def test_a_rate_above_telegrams_is_slowed_down_and_nothing_is_lost(shop: Shop) -> None:
    shop.bot.sends_per_second = 2
    shop.bot.chats |= {1000, 1001, 1002, 1003}
    await shop.ask(*(shop.request(str(n), chat=1000 + n) for n in range(4)))
    told = await shop.told("0", "1", "2", "3")

    assert {one.state for one in told} == {"sent"}
    assert len(shop.bot.sent) == 4


async def test_nobody_knows_whether_it_was_sent(shop: Shop) -> None:
    shop.bot.break_next()
    shop.bot.refuse_next(502, "Bad Gateway")
    await shop.ask(shop.request("cut"), shop.request("502"), shop.request("after"))
    told = await shop.told("cut", "502", "after")

    assert [one.state for one in told] == ["uncertain", "uncertain", "sent"]
    assert shop.bot.calls == 3


async def test_what_is_settled_is_not_kept(live: Live, shop: Shop) -> None:
    asked = shop.request("1", "a secret")
    await shop.ask(asked)
    await shop.told("1")
    async with AsyncMongoClient[dict[str, Any]](live.environment["PARLEY_MONGODB_URL"]) as mongo:
        attempts = mongo[live.environment["PARLEY_MONGODB_DATABASE"]]["ingest_attempts"]
        # Settled after it is told.
        kept = await eventually(
            lambda: attempts.find_one({"_id": asked.message_id}),
            lambda attempt: "lane" not in (attempt or {}),
        )
    assert kept is not None
    assert kept["state"] == "ended"
    assert "a secret" not in str(kept)


async def test_a_poison_message_is_buried_and_the_next_is_sent(live: Live, shop: Shop) -> None:
    good = outgoing(envelope(shop.request("1"), shop.conversation(), WORKSPACE))
    await live.publisher.publish([Outgoing(good.topic, good.key, b"{", good.headers), good])
    [told] = await shop.told("1")
    bootstrap = live.environment["PARLEY_KAFKA_BOOTSTRAP_SERVERS"]
    dead = await read_records(bootstrap, live.topic("parley.outbound.dead"), lambda r: len(r) > 0)

    assert told.state == "sent"
    assert dead[0].value == b"{"


async def test_the_widget_has_its_answer_at_once(live: Live, shop: Shop) -> None:
    widget = SourceState(
        source_id="src_widget",
        channel=Channel.WIDGET,
        name="Site",
        location_id="loc_1",
        account="w1",
    )
    await live.connect(widget)
    await shop.ask(
        shop.request("1", source_id="src_widget", channel=Channel.WIDGET, thread="visitor")
    )
    [told] = await shop.told("1")
    assert told.state == "sent"


async def test_what_was_not_reached_is_sent_when_it_is(
    ingest: Ingest, publisher: Publisher
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


@pytest.mark.parametrize("taken", [False, True], ids=["before", "after"])
async def test_a_correction_without_an_end_is_done_before_the_next_and_once(
    ingest: Ingest, bot: Bot, publisher: Publisher, attempts: AttemptsOf, taken: bool
) -> None:
    """Its sender died before the platform had it, or after, and before that was written down.
    Telegram lets it be repeated: it is neither lost nor uncertain, nor does it undo the next."""
    async with ingest.running():
        await ask(publisher, request("msg_0", "Helo"))
        [external] = (await deliveries(ingest, 1))["msg_0"].external_message_ids
        if taken:
            await ask(publisher, edit(6, "Hello", external))
            await eventually(lambda: bot.edited)
    calls = bot.calls
    dead = attempts("snd_dead")
    begun = edit(7, "Hello", external)
    await dead.insert([Attempt(WORKSPACE, 1, begun, datetime.now(UTC))], [])
    assert await dead.begin([begun.request_id]) == [True]

    await ask(publisher, begun, edit(8, "Hello!", external), request("msg_1", "next"))
    async with ingest.running():
        told = await deliveries(ingest, 2)

    assert told["msg_1"].state == "sent"
    assert [one["text"] for one in bot.edited] == ["Hello", "Hello!"]
    assert bot.calls == calls + 3
    events = await read_events(ingest.bootstrap, ingest.topic("parley.delivery"), 2)
    assert {type(one.body) for one in events} == {DeliveryChanged}


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


async def test_what_a_dead_replica_took_and_did_not_commit_still_goes_first(
    ingest: Ingest, bot: Bot, publisher: Publisher, database: Database
) -> None:
    """Its request comes again with the next one, while its lease has not lapsed yet."""
    dead = Attempts(database["ingest_attempts"], "snd_dead", timedelta(seconds=4))
    asked = request("msg_0", "0")
    await dead.insert([Attempt(WORKSPACE, 0, asked, datetime.now(UTC))], [])
    await ask(publisher, asked, request("msg_1", "1"))
    async with ingest.running():
        await deliveries(ingest, 2)

    assert [one.text for one in bot.sent] == ["0", "1"]


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


async def test_an_attempt_of_a_living_replica_is_left_to_it(
    ingest: Ingest, bot: Bot, publisher: Publisher, database: Database
) -> None:
    alive = Attempts(database["ingest_attempts"], "snd_alive", timedelta(seconds=4))
    lapses = datetime.now(UTC) + timedelta(seconds=4)
    asked = request("msg_1")
    await alive.insert([Attempt(WORKSPACE, 0, asked, datetime.now(UTC))], [])
    assert await alive.begin(["msg_1"]) == [True]
    await ask(publisher, asked, request("msg_2"))
    async with ingest.running():
        told = await deliveries(ingest, 2)

    assert datetime.now(UTC) > lapses
    assert (told["msg_1"].state, told["msg_2"].state) == ("uncertain", "sent")
    assert bot.calls == 1


async def test_a_lost_lease_is_no_leave_to_send(attempts: AttemptsOf) -> None:
    first, second = attempts("snd_1"), attempts("snd_2")
    await first.insert([Attempt(WORKSPACE, 0, request("msg_1"), datetime.now(UTC))], [])
    lapsed = (await first.find(["msg_1"]))["msg_1"]
    assert await second.claim(lapsed)

    assert await first.begin(["msg_1"]) == [False]
    assert not await first.claim(lapsed)
    assert await second.begin(["msg_1"]) == [True]
