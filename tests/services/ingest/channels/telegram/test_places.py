"""One conversation a place where people would say it is one, over the webhook."""

from typing import Any

import msgspec
import pytest
from prometheus_client import generate_latest

from libs.events.inbound import InboundDeleted, InboundReceived
from tests.support.ingest.service import Shop

pytestmark = pytest.mark.servers
ANNA: dict[str, Any] = {"id": 42, "is_bot": False, "first_name": "Anna"}
GROUP = {"id": -7, "title": "Shop chat", "type": "group"}
SUPERGROUP = {"id": -1007, "title": "Shop chat", "type": "supergroup"}


def update(number: int, chat: dict[str, Any], **content: Any) -> dict[str, Any]:
    message = {"message_id": number, "from": ANNA, "chat": chat, "date": 1760000000 + number}
    return {"update_id": 5000 + number, "message": message | content}


async def received(shop: Shop, count: int, thread: str) -> list[InboundReceived]:
    events = await shop.inbound(count, thread)
    return [one.body for one in events if isinstance(one.body, InboundReceived)]


async def test_a_group_that_becomes_a_supergroup_goes_on(shop: Shop) -> None:
    assert await shop.hook(update(5, GROUP, text="before")) == 200
    assert await shop.hook(update(6, GROUP, migrate_to_chat_id=-1007)) == 200
    assert await shop.hook(update(1, SUPERGROUP, migrate_from_chat_id=-7)) == 200
    # In the supergroup numbers begin anew.
    assert await shop.hook(update(5, SUPERGROUP, text="after")) == 200

    before, after = await received(shop, 2, "-7")
    assert (before.content.text, after.content.text) == ("before", "after")
    assert before.conversation_id == after.conversation_id
    assert before.customer_id == after.customer_id
    assert before.message_id != after.message_id
    assert before.cause != after.cause


async def test_of_two_ephemeral_messages_the_second_is_no_repeat(shop: Shop) -> None:
    for number in (1, 2):
        private = update(0, SUPERGROUP, text=f"m{number}", ephemeral_message_id=number)
        assert await shop.hook(private) == 200
    one, two = await received(shop, 2, "ephemeral:-1007:42")
    assert one.message_id != two.message_id
    assert one.cause != two.cause


async def test_two_persons_who_ask_a_channel_share_no_conversation(shop: Shop) -> None:
    chat = {"id": -1009, "title": "News", "type": "supergroup", "is_direct_messages": True}
    for person in (ANNA, {**ANNA, "id": 43, "first_name": "Boris"}):
        topic = {"topic_id": person["id"], "user": person}
        question = update(int(person["id"]), chat, text="?", direct_messages_topic=topic)
        question["message"]["from"] = person
        assert await shop.hook(question) == 200
    [anna] = await received(shop, 1, "direct:-1009:42")
    [boris] = await received(shop, 1, "direct:-1009:43")
    assert anna.customer_id != boris.customer_id
    assert (anna.sender.name, boris.sender.name) == ("Anna", "Boris")


async def test_sixty_thousand_deleted_at_once(shop: Shop) -> None:
    chat = {"id": 42, "first_name": "Anna", "type": "private"}
    numbers = list(range(100_000, 160_000))
    gone = {"business_connection_id": "bc_1", "chat": chat, "message_ids": numbers}
    assert await shop.hook({"update_id": 7, "deleted_business_messages": gone}) == 200

    events = await shop.inbound(1200, "business:bc_1:42")
    bodies = [one.body for one in events if isinstance(one.body, InboundDeleted)]
    told = [number for one in bodies for number in (one.external_message_id, *one.more)]
    assert told == [str(number) for number in numbers]


async def test_what_nobody_knows_is_shown_and_counted_and_service_is_not(shop: Shop) -> None:
    private = {"id": 42, "first_name": "Anna", "type": "private"}
    assert await shop.hook(update(1, private, hologram={"file_id": "h"})) == 200
    assert await shop.hook(update(2, GROUP, new_chat_title="New")) == 200
    [shown] = await received(shop, 1, "42")
    assert shown.content.text.startswith("[")
    metrics = generate_latest().decode()
    assert 'parley_ingest_unknown_content_total{channel="telegram"}' in metrics
    assert 'parley_ingest_ignored_total{channel="telegram",kind="service_message"}' in metrics


async def test_a_message_with_bytes_that_are_no_text_is_kept(shop: Shop) -> None:
    raw = (
        b'{"update_id": 9, "\xff": 1, "message": {"message_id": 3, "date": 1760000000,'
        b'"chat": {"id": 42, "type": "private"}, "from": {"id": 42, "first_name": "\xff"},'
        b'"text": "half \\ud83d of it", "location": {"latitude": NaN, "longitude": 1e999}}}'
    )
    assert await shop.hook(raw) == 200
    [kept] = await received(shop, 1, "42")
    assert kept.content.text.startswith("half")
    assert kept.content.text.endswith("of it")


@pytest.mark.parametrize(
    ("thread", "field", "expected"),
    [
        ("topic:-1001:77", "message_thread_id", 77),
        ("direct:-1002:42", "direct_messages_topic_id", 42),
        ("ephemeral:-1003:42", "ephemeral_message_parameters", {"receiver_user_id": 42}),
        ("business:bc_1:42", "business_connection_id", "bc_1"),
    ],
)
async def test_an_answer_goes_where_the_question_was(
    shop: Shop, thread: str, field: str, expected: Any
) -> None:
    """Without a quote too."""
    bot = shop.bot
    bot.chats |= {-1001, -1002, -1003, 42}
    bot.topics, bot.direct = {(-1001, 77)}, {-1002: {42}}
    await shop.ask(msgspec.structs.replace(shop.request("m1"), thread=thread))
    [change] = await shop.told("m1")
    assert change.state == "sent", change
    assert bot.sent[0].fields[field] == expected


async def test_what_is_sent_to_a_group_that_has_become_a_supergroup_goes_there(shop: Shop) -> None:
    bot = shop.bot
    bot.chats |= {-5, -1005}
    bot.migrated = {-5: -1005}
    for name in ("m1", "m2"):
        await shop.ask(msgspec.structs.replace(shop.request(name), thread="-5"))
        [change] = await shop.told(name)
        assert change.state == "sent", change
    assert [one.chat_id for one in bot.sent] == [-1005, -1005]
    assert change.external_message_ids == (f"-1005:{bot.sent[1].message_id}",)
