"""A message that a member has sent once more: another attempt, each at most once."""

import msgspec
import pytest

from libs.events.content import Content
from tests.support.ingest.files import PNG, upload
from tests.support.ingest.service import Live, Shop

pytestmark = pytest.mark.servers


async def test_sent_again_it_is_another_attempt_and_once_each(shop: Shop) -> None:
    shop.bot.refuse_next(403, "Forbidden: bot was blocked by the user")
    await shop.ask(shop.request("1"))
    [failed] = await shop.told("1")
    assert (failed.state, failed.attempt) == ("failed", 1)
    # However often it is asked for, also what had ended before.
    again = shop.request("1", attempt=2)
    await shop.ask(again, shop.request("1"), again)
    quoting = shop.request("2", "quotes it", reply_to=again.message_id)
    await shop.ask(again, quoting)
    await shop.told("2")

    assert [one.text for one in shop.bot.sent] == ["hello", "quotes it"]
    first = shop.bot.sent[0].message_id
    assert shop.bot.sent[1].fields["reply_parameters"]["message_id"] == first
    told = {(one.attempt, one.state) for one in shop.changes("1")}
    assert told == {(1, "failed"), (2, "sent")}


async def test_sent_again_it_goes_on_behind_the_parts_that_were_taken(
    live: Live, shop: Shop
) -> None:
    _, image = await upload(live.client, PNG)
    _, paper = await upload(live.client, b"%PDF-1.7", "1.pdf", "application/pdf")
    assert image is not None
    assert paper is not None
    gone = msgspec.structs.replace(paper, attachment_id="att_" + "b" * 30)
    await shop.ask(shop.request("1", content=Content(text="two", attachments=(image, gone))))
    [failed] = await shop.told("1")
    taken = failed.external_message_ids
    assert (failed.state, len(taken)) == ("failed", 2)

    content = Content(text="two", attachments=(image, paper))
    await shop.ask(shop.request("1", content=content, attempt=2, taken=taken))
    await shop.ask(shop.request("2", "after"))
    await shop.told("2")
    methods = [one.method for one in shop.bot.sent]
    assert methods == ["sendMessage", "sendPhoto", "sendDocument", "sendMessage"]
    told = shop.changes("1")[-1]
    assert (told.state, told.attempt, told.external_message_ids[:2]) == ("sent", 2, taken)
