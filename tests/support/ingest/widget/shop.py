"""A shop whose pages have the widget, a visitor in front of one, and the team behind it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from libs.events.inbound import InboundReceived
from libs.events.topics import Topic
from tests.support.browser import chromium, pages
from tests.support.ingest.widget.page import PAGE, WAIT_SECONDS, Widget
from tests.support.ingest.widget.site import Site
from tests.support.ingest.widget.stack import Stack
from tests.support.kafka import read_events

# By plain http from a host that is not this machine, a page gets less of the browser.
PLAIN_HOST = "shop.test"


class Shop:
    """``pages``: what is served at each path; a test may add its own."""

    def __init__(
        self, stack: Stack, site: Site, address: str, widget: Widget, pages: dict[str, str]
    ) -> None:
        self.stack, self.site, self.address, self.widget = stack, site, address, widget
        self.pages = pages
        self.taken = False

    async def accepted(self, count: int) -> list[InboundReceived]:
        """Every message on Kafka once, in order, as soon as there are ``count``."""
        topic, wanted = self.stack.namespace + Topic.INBOUND.value, count
        while True:
            events = await read_events(self.stack.bootstrap, topic, wanted, WAIT_SECONDS)
            once: dict[str, InboundReceived] = {}
            for event in events:
                body = event.body
                if isinstance(body, InboundReceived) and body.source_id == self.site.source_id:
                    once.setdefault(body.message_id, body)
            if len(once) >= count:
                return list(once.values())
            wanted = len(events) + 1

    async def take_in(self, inbound: InboundReceived) -> None:
        """As soon as conversation has it; the first who writes is taken."""
        conversation_id = inbound.conversation_id
        await self.site.team.has(conversation_id, inbound.message_id)
        if not self.taken:
            await self.site.team.take(conversation_id)
            self.taken = True

    async def answer(self, visitor_id: str, text: str) -> None:
        await self.site.team.answer(self.site.conversation_of(visitor_id), text)

    def script(self, attributes: str = "") -> str:
        """The element that loads the widget."""
        return (
            f'<script src="{self.site.url}/widget.js" data-source="{self.site.source_id}"'
            f" {attributes}></script>"
        )

    async def goes_to(self, path: str, page: str) -> None:
        self.pages[path] = page
        await asyncio.to_thread(self.widget.go, self.address + path)

    async def hears(self, text: str) -> InboundReceived:
        """The visitor opens the panel and writes the first message, which is taken."""
        await asyncio.to_thread(self.widget.open)
        await asyncio.to_thread(self.widget.write, text)
        [first] = await self.accepted(1)
        await self.take_in(first)
        return first

    async def complaints(self) -> list[str]:
        """The errors in the page's console."""
        logged = await asyncio.to_thread(self.widget.driver.get_log, "browser")
        return [
            line["message"]
            for line in logged
            if line["level"] == "SEVERE" and "favicon" not in line["message"]
        ]


@asynccontextmanager
async def opened(
    stack: Stack,
    *,
    origins: tuple[str, ...] = (),
    preferences: Mapping[str, object] | None = None,
) -> AsyncIterator[Shop]:
    """``origins``: allowed besides the shop's own two."""
    async with AsyncExitStack() as exits:
        content = {"/": "<h1>not yet</h1>"}
        origin = exits.enter_context(pages(lambda path: content.get(path, "")))
        own = (origin, origin.replace("127.0.0.1", PLAIN_HOST))
        site = await stack.site(origins=(*own, *origins))
        for language in ("en", "ru", "uk"):
            content[f"/{language}"] = PAGE.format(
                server=site.url, source=site.source_id, language=language
            )
        rules = f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1"
        driver = await asyncio.to_thread(
            lambda: exits.enter_context(chromium(rules, preferences=preferences))
        )
        yield Shop(stack, site, origin, Widget(driver), content)
