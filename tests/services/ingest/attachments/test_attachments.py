"""Attachments through HTTP and through the webhook, in a real folder."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from libs.events.actions import Action
from libs.events.api import StoredAttachments
from libs.events.content import Attachment, Content
from parley.doubles.bot import Bot
from services.ingest.attachments.rules import FILE_MAX_BYTES, IMAGE_MAX_BYTES
from services.ingest.attachments.store import Note
from tests.support.eventually import eventually
from tests.support.ingest.files import PNG, upload
from tests.support.ingest.service import IDS, SOURCE_ID, WORKSPACE, Client, Ingest, Live, Shop
from tests.support.ingest.updates import text_update

pytestmark = pytest.mark.servers

JSON = "application/json"


async def describe(client: Client, *ids: str, workspace_id: str = WORKSPACE) -> list[Attachment]:
    body = json.dumps({"ids": ids}).encode()
    status, answer, _ = await client.call(
        "POST", "/v1/attachments/describe", workspace_id, body, {"content-type": JSON}
    )
    assert status == 200
    return list(msgspec.json.decode(answer, type=StoredAttachments).items)


async def test_uploads(live: Live) -> None:
    client = live.client
    # An image is known by its content, and can be had back by its workspace alone.
    status, image = await upload(client, PNG, "кіт.png", "application/octet-stream")
    assert status == 201
    assert image is not None
    assert (image.kind, image.media_type, image.file_name) == ("image", "image/png", "кіт.png")
    assert image.size_bytes == len(PNG)
    assert await describe(client, image.attachment_id, "att_unknown") == [image]
    assert await describe(client, image.attachment_id, workspace_id="wsp_other") == []
    path = f"/v1/attachments/{image.attachment_id}"
    status, content, headers = await client.call("GET", path)
    assert (status, content, headers["content-type"]) == (200, PNG, "image/png")
    assert (await client.call("GET", path, "wsp_other"))[0] == 404
    async with client.session.get(path) as answer:
        assert answer.status == 401

    # Where it is in no message that who asks sees, it may be theirs who gave it, or nobody's.
    assert (await client.call("GET", f"{path}?shown=no"))[0] == 404
    assert (await client.call("GET", f"{path}?shown=some"))[0] == 422

    # What only claims to be an image is a file, and a page is never shown as one.
    status, page = await upload(client, b"<html>", "a.html", "text/html")
    assert page is not None
    assert page.kind == "file"
    _, _, headers = await client.call("GET", f"/v1/attachments/{page.attachment_id}")
    assert headers["content-disposition"].startswith("attachment")

    # Refused before any work, and nothing is left behind.
    kept = await files(live)
    for content, name in (
        (b"", "empty.txt"),
        (b"MZ\x90\0" + b"\0" * 60, "invoice.pdf"),
        (b"\x7fELF" + b"\0" * 60, "invoice.pdf"),
        (b"\xcf\xfa\xed\xfe" + b"\0" * 60, "invoice.pdf"),
        (b"hello", "setup.EXE"),
        (b"hello", "image.dmg."),
        (b"x" * 4096 + b"koly" + b"\0" * 508, "renamed.bin"),
    ):
        assert (await upload(client, content, name, "application/pdf"))[0] == 422, name
    for name, field, told in (
        ("n" * 256, "file_name", "довше за 255 символів"),
        ("a\u202eb.png", "file_name", "містить символи, які неможливо показати"),
        ("setup.exe", "file_name", "файли .exe не приймаються"),
    ):
        status, body, _ = await client.call(
            "POST", f"/v1/attachments?file_name={name}", data=PNG, headers={"accept-language": "uk"}
        )
        assert (status, json.loads(body)["errors"]) == (422, [{"field": field, "message": told}])
    assert (await upload(client, PNG + b"\0" * IMAGE_MAX_BYTES))[0] == 413
    assert await files(live) == kept

    for strange in ("..%2f..%2fetc%2fpasswd", "att_", "a.json"):
        assert (await client.call("GET", f"/v1/attachments/{strange}"))[0] == 404


async def files(live: Live) -> set[str]:
    folder = Path(urlsplit(live.environment["PARLEY_INGEST_STORAGE_URL"]).path)
    return {str(one) for one in await asyncio.to_thread(lambda: list(folder.rglob("*")))}


async def test_a_body_that_says_it_is_too_large_is_not_read(live: Live) -> None:
    token = live.client.tokens.issue("ingest", WORKSPACE, "mbr_1", list(Action))
    head = f"POST /v1/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    status_line = await live.client.answer_to(f"{head}Content-Length: {FILE_MAX_BYTES + 1}\r\n\r\n")
    assert b" 413 " in status_line


async def test_an_attachment_goes_out(live: Live, shop: Shop) -> None:
    _, image = await upload(live.client, PNG)
    pages = b"%PDF-1.7" + b"\0" * 2_000_000
    _, paper = await upload(live.client, pages, "рахунок 1.pdf", "application/pdf")
    assert image is not None
    assert paper is not None
    gone = msgspec.structs.replace(paper, attachment_id="att_" + "a" * 30)
    await shop.ask(
        shop.request("1", content=Content(text="caption", attachments=(image,))),
        shop.request("2", content=Content(text="two files", attachments=(image, paper))),
        shop.request("3", content=Content(attachments=(gone,))),
    )
    _, two, missing = await shop.told("1", "2", "3")

    assert [(one.method, one.text, one.file) for one in shop.bot.sent] == [
        ("sendPhoto", "caption", PNG),
        ("sendMessage", "two files", None),
        ("sendPhoto", "", PNG),
        ("sendDocument", "", pages),
    ]
    assert shop.bot.sent[-1].file_name == "рахунок 1.pdf"
    assert len(two.external_message_ids) == 3
    assert missing.reason_code == "no-attachment"


async def test_a_pause_between_parts_repeats_none(live: Live, shop: Shop) -> None:
    _, image = await upload(live.client, PNG)
    assert image is not None
    shop.bot.pass_next()
    shop.bot.too_many(retry_after=1)
    both = Content(text="x" * 1025, attachments=(image,))
    await shop.ask(shop.request("1", content=both))
    [told] = await shop.told("1")

    assert told.state == "sent"
    assert [one.method for one in shop.bot.sent] == ["sendMessage", "sendPhoto"]


def photo_update(unique: str, file_id: str, size: int | None = None) -> dict[str, Any]:
    update = text_update()
    del update["message"]["text"]
    file: dict[str, Any] = {"file_id": file_id, "file_unique_id": unique, "width": 1, "height": 1}
    if size is not None:
        file["file_size"] = size
    update["message"]["photo"] = [file]
    return update


async def test_incoming_files_are_fetched(live: Live, shop: Shop) -> None:
    shop.bot.files["file-1"] = b"\xff\xd8\xff the picture"
    for update in (
        photo_update("u1", "file-1"),
        photo_update("u1", "file-1"),
        photo_update("u2", "file-gone"),
        photo_update("u3", "file-1", 21 * 1024 * 1024),
    ):
        assert await shop.hook(update) == 200

    ids = [IDS.attachment(shop.source.source_id, unique) for unique in ("u1", "u2", "u3")]
    here, gone, large = (f"/v1/attachments/{one}" for one in ids)
    assert await answered(live.client, here, 200) == shop.bot.files["file-1"]
    problem = await answered(live.client, gone, 404, "gone")
    assert json.loads(problem)["reason"] == "gone"
    await answered(live.client, large, 404, "too-large")
    [described] = await describe(live.client, *ids)
    assert described.media_type == "image/jpeg"


async def test_a_file_that_was_not_reached_is_fetched_when_it_is_asked_for(
    ingest: Ingest, bot: Bot
) -> None:
    bot.files["file-1"] = b"late"
    path = f"/v1/attachments/{IDS.attachment(SOURCE_ID, 'u1')}"
    async with ingest.running(PARLEY_INGEST_TELEGRAM_API_URL="http://127.0.0.1:1") as client:
        assert await client.hook(photo_update("u1", "file-1")) == 200
        await answered(client, path, 404, "unreachable")
    async with ingest.running() as client:
        _, content, _ = await client.call("GET", path)
        assert content == b"late"


async def answered(client: Client, path: str, status: int, word: str = "") -> bytes:
    """The body, once the answer has the status and the word."""
    _, body, _ = await eventually(
        lambda: client.call("GET", path),
        lambda answer: answer[0] == status and word.encode() in answer[1],
    )
    return body


def test_a_note_can_be_read_by_the_next_version() -> None:
    raw = {"attachment_id": "a", "kind": "file", "media_type": "x/y", "reference": "r", "new": 1}
    note = msgspec.json.decode(msgspec.json.encode({"attachment": raw, "newer": 2}), type=Note)
    assert note.missing is None
