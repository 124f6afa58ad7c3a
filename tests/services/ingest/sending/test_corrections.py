"""Edits and deletions, against a double of the Bot API: done once or told why not."""

import pytest

from libs.events.content import Attachment, Channel, Content
from tests.support.eventually import eventually
from tests.support.ingest.service import ANNA, Shop

pytestmark = pytest.mark.servers

PICTURE = Attachment(attachment_id="att_1", kind="image", media_type="image/png", reference="x")


async def sent(shop: Shop, name: str, text: str = "Helo") -> str:
    """Telegram's id of a message that was sent as ``name``."""
    await shop.ask(shop.request(name, text))
    [told] = await shop.told(name)
    [external] = told.external_message_ids
    return external


async def until_calls(shop: Shop, number: int) -> None:
    await eventually(lambda: shop.bot.calls >= number)


async def test_a_message_is_edited_and_taken_back(shop: Shop) -> None:
    external = await sent(shop, "1")
    await shop.ask(shop.edit("1", "Hello", external), shop.deletion("1", external))
    await until_calls(shop, 3)
    assert shop.bot.edited == [{"chat_id": ANNA, "message_id": int(external), "text": "Hello"}]
    assert shop.bot.deleted == [int(external)]


async def test_the_caption_of_a_single_file_is_its_text(shop: Shop) -> None:
    external = await sent(shop, "1")
    content = Content(text="A cat", attachments=(PICTURE,))
    await shop.ask(shop.edit("1", "", external, content=content))
    await until_calls(shop, 2)
    assert shop.bot.edited[0]["caption"] == "A cat"


async def test_a_business_chat_is_corrected_through_its_connection(shop: Shop) -> None:
    external = await sent(shop, "1")
    thread = f"business:bc_1:{ANNA}"
    await shop.ask(
        shop.edit("1", "Hello", external, thread=thread),
        shop.deletion("1", external, thread=thread),
    )
    await until_calls(shop, 3)
    assert shop.bot.edited[0]["business_connection_id"] == "bc_1"
    assert shop.bot.deleted == [int(external)]


async def test_what_got_no_answer_is_done_again_and_found_done(shop: Shop) -> None:
    external = await sent(shop, "1")
    shop.bot.break_next()
    edit = shop.edit("1", "Hello", external)
    await shop.ask(edit)
    await until_calls(shop, 3)
    await shop.ask(edit, shop.request("2", "next"))
    await shop.told("2")
    assert [one["text"] for one in shop.bot.edited] == ["Hello"]
    assert not shop.changes("1")[1:]


async def test_a_refusal_is_told_in_the_platforms_words(shop: Shop) -> None:
    await sent(shop, "1")
    await shop.ask(shop.edit("1", "Hello", "999999"))
    told = await shop.not_corrected("1")
    assert (told.correction, told.reason_code) == ("edit", "telegram-400")
    assert told.reason == "Bad Request: message to edit not found"


async def test_what_telegram_has_no_id_of_cannot_be_corrected(shop: Shop) -> None:
    await shop.ask(shop.deletion("1"))
    assert (await shop.not_corrected("1")).reason_code == "no-external-id"
    assert shop.bot.calls == 0


async def test_too_many_requests_are_waited_for(shop: Shop) -> None:
    external = await sent(shop, "1")
    shop.bot.too_many(1)
    await shop.ask(shop.deletion("1", external))
    await until_calls(shop, 3)
    assert shop.bot.deleted == [int(external)]
    assert shop.source.channel is Channel.TELEGRAM
