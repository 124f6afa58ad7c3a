"""A visitor of a site writes in the widget, in a real page of a real browser."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import chromium, needs_chromium, pages
from tests.support.e2e.team import Company
from tests.support.eventually import eventually
from tests.support.ingest.widget.page import PAGE, Widget

pytestmark = [pytest.mark.servers, pytest.mark.browser, needs_chromium()]


async def test_from_the_page_to_the_figures(company: Company, tmp_path: Path) -> None:
    with ExitStack() as stack:
        page = ""
        origin = stack.enter_context(pages(lambda _path: page))
        source = await company.connect_widget(origin)
        server = company.suite.url("ingest")
        page = PAGE.format(server=server, source=source["source_id"], language="en")
        driver = await asyncio.to_thread(stack.enter_context, chromium())
        widget = Widget(driver)

        # When a visitor writes in the page
        await asyncio.to_thread(widget.go, origin)
        await asyncio.to_thread(widget.saves_to, tmp_path)
        await asyncio.to_thread(widget.open)
        await asyncio.to_thread(widget.write, "Is the red one in stock?")

        # Then the API shows the case, which is taken and answered
        async def first() -> Any:
            items = (await company.owner.get("/v1/conversations", tab="new"))["items"]
            return items[0] if items else None

        row = await eventually(first)
        path = f"/v1/conversations/{row['conversation_id']}"
        await company.owner.post(f"{path}/take")
        await company.owner.post(f"{path}/notes", text="We have three of them")
        await company.owner.post(f"{path}/messages", text="It is. Shall I keep one for you?")

        # And the answer appears in the widget without a reload, and after one; the note never
        shown = [
            ("mine", "Is the red one in stock?", "sent"),
            ("theirs", "It is. Shall I keep one for you?", "sent"),
        ]
        await asyncio.to_thread(widget.shows, *shown)
        await asyncio.to_thread(driver.refresh)
        await asyncio.to_thread(widget.shows, *shown)

        # A file that the team sends is saved from the page
        uploaded = await company.upload("price.txt", b"12 a piece", "text/plain")
        await company.owner.post(f"{path}/messages", attachments=[uploaded["attachment_id"]])
        await asyncio.to_thread(widget.shows, *shown, ("theirs", "price.txt", "sent"))
        await asyncio.to_thread(lambda: widget.find(".file").click())
        saved = await asyncio.to_thread(widget.saved, tmp_path)
        assert (saved.name, saved.read_bytes()) == ("price.txt", b"12 a piece")

        # And once it is closed, the summary shows one case with its times
        await company.owner.post(f"{path}/close")

        async def counted() -> Any:
            figures = await company.summary()
            return figures if figures["closed"]["value"] == 1 else None

        figures = await eventually(counted)
        assert figures["all"]["value"] == 1
        assert figures["time_to_respond"]["average"]["seconds"] is not None
        assert figures["time_to_close"]["average"]["seconds"] is not None
