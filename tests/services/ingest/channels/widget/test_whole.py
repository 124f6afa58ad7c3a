"""The widget with the services that are behind it: ingest and conversation, whole and real."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from libs.runtime.process import running
from libs.runtime.settings import load
from services.ingest.app import SERVICE as INGEST
from services.ingest.settings import IngestSettings
from tests.support.browser import chromium, needs_chromium, pages
from tests.support.http import ready
from tests.support.ingest.widget.page import PAGE, Widget
from tests.support.ingest.widget.site import environment_for
from tests.support.ingest.widget.stack import Stack
from tests.support.ingest.widget.team import Team

pytestmark = [pytest.mark.servers, pytest.mark.browser, needs_chromium()]


async def test_a_conversation_from_the_first_word_to_the_next_day(
    stack: Stack, tmp_path: Path
) -> None:
    own = {
        "PARLEY_INGEST_PUBLIC_URL": "http://127.0.0.1:1",
        "PARLEY_INGEST_CONVERSATION_URL": stack.conversation_url,
        "PARLEY_INGEST_STORAGE_URL": (tmp_path / "attachments").as_uri(),
    }
    environment = environment_for(stack.bootstrap, stack.namespace) | stack.mongo
    content = {"/": "nothing yet"}
    async with AsyncExitStack() as exits:
        origin = exits.enter_context(pages(lambda path: content.get(path, "")))
        settings = load(IngestSettings, environment | own)
        url, _ = await exits.enter_async_context(running(INGEST, settings))
        await ready(stack.http, url)
        site = await stack.site(url=url, origins=(origin,))
        content["/"] = PAGE.format(server=url, source=site.source_id, language="en")
        driver = await asyncio.to_thread(exits.enter_context, chromium())
        await tell(Widget(driver), site.team, origin)


async def tell(widget: Widget, team: Team, origin: str) -> None:
    await asyncio.to_thread(widget.go, origin)
    await asyncio.to_thread(widget.open)
    await asyncio.to_thread(widget.write, "Hello")
    conversation_id = await team.newest()
    await team.call("POST", f"/{conversation_id}/take")
    await team.call("POST", f"/{conversation_id}/notes", {"text": "Between us"})
    await team.answer(conversation_id, "Good morning")
    story = [("mine", "Hello", "sent"), ("theirs", "Good morning", "sent")]
    await asyncio.to_thread(widget.shows, *story)

    # Offline, both sides write; then each has all of it, in one and the same order.
    await asyncio.to_thread(widget.network, offline=True)
    await asyncio.to_thread(widget.write, "Are you there?")
    await team.answer(conversation_id, "Anything else?")
    await asyncio.to_thread(widget.network, offline=False)
    story += [("theirs", "Anything else?", "sent"), ("mine", "Are you there?", "sent")]
    await asyncio.to_thread(widget.shows, *story)

    await asyncio.to_thread(widget.driver.refresh)
    await asyncio.to_thread(widget.shows, *story)
    await team.call("POST", f"/{conversation_id}/close")
    await asyncio.to_thread(widget.find("textarea").send_keys, "One more thing", Keys.ENTER)
    await asyncio.to_thread(widget.shows, *story, ("mine", "One more thing", "sent"))
    again = await team.newest()
    assert again == conversation_id, "the next case of the same conversation"
