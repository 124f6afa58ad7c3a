"""A visitor saves the files that the team sent to them, and no others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.events.content import Attachment
from libs.events.ids import random_id
from libs.runtime.storage import open_storage
from services.ingest.attachments.store import AttachmentStore, Note
from services.ingest.channels.widget import files
from tests.support.browser import chromium, needs_chromium, pages
from tests.support.ingest.widget.page import PAGE, Widget
from tests.support.ingest.widget.site import ORIGIN, Site
from tests.support.ingest.widget.stack import Stack

pytestmark = pytest.mark.servers

PRICES = b"red;12\nblue;14\n"


@dataclass(frozen=True)
class Files:
    """A site whose files are in ``store``."""

    site: Site
    store: AttachmentStore

    async def kept(self, name: str = "prices.csv", content: bytes = PRICES) -> Attachment:
        attachment = Attachment(
            attachment_id=random_id("att"),
            kind="file",
            media_type="text/csv",
            reference="ours alone",
            file_name=name,
            size_bytes=len(content),
        )
        workspace_id = self.site.workspace_id
        await self.store.put(workspace_id, attachment.attachment_id, content)
        await self.store.note(workspace_id, Note(attachment))
        return attachment

    async def sent_to(self, token: str, attachment: Attachment) -> dict[str, Any]:
        """The file as the visitor's history has it."""
        conversation_id = await self.site.heard(token)
        await self.answer(conversation_id, attachment)
        _, page = await self.site.messages(token)
        found: dict[str, Any] = page["items"][-1]["content"]["attachments"][0]
        return found

    async def answer(self, conversation_id: str, attachment: Attachment) -> None:
        attached = [msgspec.to_builtins(attachment)]
        await self.site.team.answer(conversation_id, "", attachments=attached)

    async def link(self, token: str | None, file: dict[str, Any]) -> tuple[int, Any]:
        headers = {"origin": ORIGIN} | ({"authorization": f"Bearer {token}"} if token else {})
        body = {name: file[name] for name in ("attachment_id", "reference")}
        path = f"{self.site.url}/widget/{self.site.source_id}/files"
        async with self.site.http.post(path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def saved(self, url: str) -> tuple[int, bytes, dict[str, str]]:
        async with self.site.http.get(self.site.url + url) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, await answer.read(), headers


@pytest.fixture
async def shelf(stack: Stack, tmp_path: Path) -> AsyncIterator[Files]:
    storage = open_storage(tmp_path.as_uri(), {})
    async with stack.another(storage=storage) as url:
        yield Files(await stack.site(url=url), AttachmentStore(storage))


async def test_a_file_is_saved_by_a_link_that_needs_no_more(shelf: Files) -> None:
    token = (await shelf.site.visitor())["token"]
    file = await shelf.sent_to(token, await shelf.kept())

    status, answer = await shelf.link(token, file)
    got, content, headers = await shelf.saved(answer["url"])

    assert (status, got, content) == (200, 200, PRICES)
    both = """attachment; filename="prices.csv"; filename*=UTF-8''prices.csv"""  # RFC 6266, 5
    assert headers["content-disposition"] == both
    assert headers["cache-control"] == "private, no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert file["reference"] not in ("", "ours alone")


async def test_nobody_else_gets_it(shelf: Files) -> None:
    token = (await shelf.site.visitor())["token"]
    attachment = await shelf.kept()
    file = await shelf.sent_to(token, attachment)
    stranger = (await shelf.site.visitor())["token"]
    secret = await shelf.kept("secret.csv")

    assert (await shelf.link(stranger, file))[0] == 404
    assert (await shelf.link(None, file))[0] == 401
    assert (await shelf.link("forged", file))[0] == 401
    other = {"attachment_id": secret.attachment_id, "reference": file["reference"]}
    assert (await shelf.link(token, other))[0] == 404
    for reference in ("", "ours alone", "х", "x" * 101):
        status, _ = await shelf.link(token, file | {"reference": reference})
        assert status in (404, 422)
    for attachment_id in ("../secret", f"../{shelf.site.workspace_id}/{secret.attachment_id}"):
        assert (await shelf.link(token, file | {"attachment_id": attachment_id}))[0] == 404


async def test_a_link_lasts_minutes_and_opens_one_file_of_one_source(
    shelf: Files, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await shelf.site.visitor())["token"]
    file = await shelf.sent_to(token, await shelf.kept())
    _, answer = await shelf.link(token, file)
    url = answer["url"]
    elsewhere = await stack.site(url=shelf.site.url)

    for wrong in (url[:-3] + "aaa", url.rpartition("/")[0] + "/x"):
        assert (await shelf.saved(wrong))[0] in (401, 404)
    moved = url.replace(shelf.site.source_id, elsewhere.source_id)
    assert (await shelf.saved(moved))[0] == 404
    monkeypatch.setattr(files, "LINK_SECONDS", -60)
    _, late = await shelf.link(token, file)
    assert (await shelf.saved(late["url"]))[0] == 401


async def test_a_file_that_was_erased_is_not_there(shelf: Files) -> None:
    token = (await shelf.site.visitor())["token"]
    attachment = await shelf.kept()
    file = await shelf.sent_to(token, attachment)
    _, before = await shelf.link(token, file)

    await shelf.store.erase(shelf.site.workspace_id, attachment.attachment_id)

    assert (await shelf.link(token, file))[0] == 404
    assert (await shelf.saved(before["url"]))[0] == 404


@pytest.mark.browser
@needs_chromium()
async def test_in_a_page_a_file_is_saved_by_its_button(stack: Stack, tmp_path: Path) -> None:
    storage = open_storage((tmp_path / "files").as_uri(), {})
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    async with AsyncExitStack() as exits:
        content = {"/": ""}
        origin = exits.enter_context(pages(lambda path: content.get(path, "")))
        url = await exits.enter_async_context(stack.another(storage=storage))
        site = await stack.site(url=url, origins=(origin,))
        content["/"] = PAGE.format(server=url, source=site.source_id, language="en")
        driver = await asyncio.to_thread(exits.enter_context, chromium())
        widget = Widget(driver)
        await asyncio.to_thread(widget.go, origin)
        await asyncio.to_thread(widget.saves_to, downloads)
        await asyncio.to_thread(widget.open)
        await asyncio.to_thread(widget.write, "What does it cost?")
        shelf = Files(site, AttachmentStore(storage))
        attachment = await shelf.kept()
        conversation_id = await site.team.newest()
        await site.team.take(conversation_id)
        await shelf.answer(conversation_id, attachment)
        await asyncio.to_thread(
            widget.shows, ("mine", "What does it cost?", "sent"), ("theirs", "prices.csv", "sent")
        )

        await asyncio.to_thread(lambda: widget.find(".file").click())

        saved = await asyncio.to_thread(widget.saved, downloads)
        assert (saved.name, saved.read_bytes()) == ("prices.csv", PRICES)
        await shelf.store.erase(site.workspace_id, attachment.attachment_id)
        await asyncio.to_thread(lambda: widget.find(".file").click())
        await asyncio.to_thread(widget.until, lambda: "not available" in _shown(widget))


def _shown(widget: Widget) -> str:
    text: str = widget.run("return root.querySelector('.log').textContent")
    return text
