"""Several files of one answer leave as an album, where Telegram has one."""

from typing import Any

import msgspec
import pytest

from libs.events.content import Attachment, AttachmentKind, Button, Content, GeoPoint
from parley.doubles.album import Files, album_of, file_of
from parley.doubles.bot import Refusal
from services.ingest.channels.telegram.parts import calls_of, parts_of
from tests.support.ingest.files import PNG, upload
from tests.support.ingest.service import Live, Shop

MEGABYTE = 2**20


def file(kind: AttachmentKind = "image", size: int = 1) -> Attachment:
    return Attachment(
        attachment_id="att_1", kind=kind, media_type="x/y", reference="att_1", size_bytes=size
    )


def left(content: Content, done: int = 0, *, albums: bool = True) -> list[list[str]]:
    """The methods of the messages, by the calls with which they leave."""
    calls = calls_of(parts_of(content)[done:], albums=albums)
    return [[part.method.removeprefix("send") for part in call] for call in calls]


@pytest.mark.parametrize(
    ("content", "calls"),
    [
        (Content(text="one", attachments=(file(),)), [["Photo"]]),
        (Content(text="two", attachments=(file(), file())), [["Message"], ["Photo"] * 2]),
        (
            Content(attachments=(file(), file("video"), file())),
            [["Photo"], ["Document"], ["Photo"]],
        ),
        (Content(attachments=(file("video"), file("file"))), [["Document"] * 2]),
        (Content(attachments=(file(),) * 11), [["Photo"] * 10, ["Photo"]]),
        (
            Content(attachments=(file("file", 30 * MEGABYTE),) * 3),
            [["Document"], ["Document"], ["Document"]],
        ),
        (
            Content(attachments=(file("file", 20 * MEGABYTE),) * 3),
            [["Document"] * 2, ["Document"]],
        ),
        (
            Content(attachments=(file(), file()), buttons=((Button(text="Yes", data="y"),),)),
            [["Photo"], ["Photo"]],
        ),
        (
            Content(attachments=(file(), file()), point=GeoPoint(latitude=1, longitude=2)),
            [["Photo"] * 2, ["Location"]],
        ),
    ],
)
def test_which_files_go_together(content: Content, calls: list[list[str]]) -> None:
    assert left(content) == calls


def test_what_is_done_is_done_message_by_message() -> None:
    content = Content(text="four", attachments=(file(),) * 3)

    assert left(content, done=2) == [["Photo"] * 2]
    assert left(content, done=3) == [["Photo"]]
    assert left(content, done=4) == []


def test_what_one_person_alone_sees_has_no_albums() -> None:
    assert left(Content(attachments=(file(), file())), albums=False) == [["Photo"], ["Photo"]]


async def pictures(live: Live, count: int) -> tuple[Attachment, ...]:
    found = [(await upload(live.client, PNG + bytes([number])))[1] for number in range(count)]
    assert all(found)
    return tuple(one for one in found if one is not None)


@pytest.mark.servers
async def test_an_album_is_one_call_and_each_file_a_message(live: Live, shop: Shop) -> None:
    content = Content(text="The menu", attachments=await pictures(live, 3))
    await shop.ask(shop.request("1", content=content, reply_to_external="77"))
    [told] = await shop.told("1")

    text, *album = shop.bot.sent
    assert (text.method, [one.method for one in album]) == ("sendMessage", ["sendMediaGroup"] * 3)
    assert [one.file for one in album] == [PNG + bytes([number]) for number in range(3)]
    assert len({one.fields["media_group_id"] for one in album}) == 1
    assert told.external_message_ids == tuple(str(one.message_id) for one in shop.bot.sent)
    assert shop.bot.calls == 2
    # What is quoted, is quoted once.
    assert ["reply_parameters" in one.fields for one in shop.bot.sent] == [True, *[False] * 3]


@pytest.mark.servers
async def test_an_album_is_taken_as_a_whole_or_later_as_a_whole(live: Live, shop: Shop) -> None:
    shop.bot.pass_next()
    shop.bot.too_many(retry_after=1)
    content = Content(text="The menu", attachments=await pictures(live, 2))
    await shop.ask(shop.request("1", content=content))
    [told] = await shop.told("1")

    assert told.state == "sent"
    assert [one.method for one in shop.bot.sent] == ["sendMessage", *["sendMediaGroup"] * 2]


@pytest.mark.servers
async def test_an_album_without_an_answer_is_uncertain_and_not_repeated(
    live: Live, shop: Shop
) -> None:
    shop.bot.pass_next()
    shop.bot.break_next()
    content = Content(text="The menu", attachments=await pictures(live, 2))
    await shop.ask(shop.request("1", content=content), shop.request("2", "after it"))
    told, _ = await shop.told("1", "2")

    text = str(shop.bot.sent[0].message_id)
    assert (told.state, told.external_message_ids) == ("uncertain", (text,))
    assert [one.method for one in shop.bot.sent].count("sendMediaGroup") == 2

    # A member asks for it once more: it goes on behind what is known to have been taken.
    await shop.ask(shop.request("1", content=content, attempt=2, taken=(text,)))
    await shop.ask(shop.request("3", "and after that"))
    await shop.told("3")
    assert [one.method for one in shop.bot.sent].count("sendMessage") == 3
    assert [one.method for one in shop.bot.sent].count("sendMediaGroup") == 4


@pytest.mark.servers
async def test_of_an_album_with_a_file_that_is_gone_nothing_leaves(live: Live, shop: Shop) -> None:
    there = await pictures(live, 2)
    gone = msgspec.structs.replace(there[1], attachment_id="att_" + "c" * 30)
    await shop.ask(shop.request("1", content=Content(attachments=(there[0], gone))))
    [told] = await shop.told("1")

    assert (told.state, told.reason_code) == ("failed", "no-attachment")
    assert shop.bot.sent == []


PHOTO = {"type": "photo", "media": "attach://one"}


@pytest.mark.parametrize(
    ("media", "words"),
    [
        (None, 'parameter "media" is required'),
        ([], "there are no messages to send"),
        ([PHOTO] * 11, "too many messages to send as an album"),
        ([PHOTO, PHOTO | {"type": "document"}], "document can't be mixed"),
        ([PHOTO, PHOTO | {"type": "sticker"}], 'type "sticker" is unsupported'),
        ([PHOTO, PHOTO | {"media": "attach://two"}], "media not found"),
    ],
)
def test_the_double_refuses_what_telegram_refuses(media: Any, words: str) -> None:
    files: Files = {"one": ("a.png", PNG)}

    with pytest.raises(Refusal, match=words):
        [file_of(item, files) for item in album_of({} if media is None else {"media": media})]
