"""The widget with the services that are behind it: ingest and conversation, whole and real."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession
from selenium.webdriver.common.keys import Keys

from libs.events.actions import Action
from libs.events.content import Channel
from libs.events.directory import (
    DirectoryState,
    LocationState,
    MemberState,
    Role,
    SourceState,
    WorkspaceState,
)
from libs.events.ids import IdKey
from libs.runtime.kafka import Publisher
from libs.runtime.process import running
from libs.runtime.settings import load
from libs.runtime.tokens import ServiceTokens
from libs.runtime.topics import create_topics
from services.conversation.app import SERVICE as CONVERSATION
from services.conversation.settings import ConversationSettings
from services.ingest.app import SERVICE as INGEST
from services.ingest.settings import IngestSettings
from tests.services.ingest.widget.conftest import ready
from tests.services.ingest.widget.page import PAGE, Widget
from tests.services.ingest.widget.site import DEPLOYMENT_KEY, SERVICE_KEY
from tests.support.browser import chromium, needs_chromium, pages
from tests.support.kafka import publish_state

pytestmark = [pytest.mark.servers, pytest.mark.browser, needs_chromium()]

WORKSPACE, MEMBER, LOCATION = "wsp_whole", "mem_ann", "loc_podil"
SOURCE = IdKey(bytes.fromhex(DEPLOYMENT_KEY)).source(WORKSPACE, "widget", "w1")


class Team:
    """A member who calls conversation as the gateway does."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self._http, self._url = http, url
        self._tokens = ServiceTokens(bytes.fromhex(SERVICE_KEY), "gateway")

    async def call(self, method: str, path: str, body: object = None) -> Any:
        actions = (Action.READ, Action.TAKE, Action.ANSWER, Action.NOTE, Action.CLOSE)
        token = self._tokens.issue("conversation", WORKSPACE, MEMBER, actions)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body)
        path = f"{self._url}/v1/conversations{path}"
        async with self._http.request(method, path, data=data, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def newest(self) -> str:
        """The conversation of the New tab, as soon as there is one."""
        async with asyncio.timeout(20):
            while True:
                if items := (await self.call("GET", "?tab=new"))["items"]:
                    return str(items[0]["conversation_id"])
                await asyncio.sleep(0.05)

    async def answer(self, conversation_id: str, text: str) -> None:
        await self.call("POST", f"/{conversation_id}/messages", {"content": {"text": text}})


async def publish_directory(publisher: Publisher, origin: str) -> None:
    states: tuple[tuple[DirectoryState, str], ...] = (
        (WorkspaceState(workspace_id=WORKSPACE, name="Shop"), WORKSPACE),
        (LocationState(location_id=LOCATION, name="Podil"), LOCATION),
        (
            MemberState(member_id=MEMBER, name="Ann", email="a@shop.example", role=Role.OWNER),
            MEMBER,
        ),
        (
            SourceState(
                source_id=SOURCE,
                channel=Channel.WIDGET,
                name="Shop",
                location_id=LOCATION,
                account="w1",
                allowed_origins=(origin,),
            ),
            SOURCE,
        ),
    )
    for sequence, (state, key) in enumerate(states, 1):
        await publish_state(publisher, state, key, WORKSPACE, sequence)


async def test_a_conversation_from_the_first_word_to_the_next_day(
    kafka_bootstrap: str,
    kafka_namespace: str,
    mongodb_url: str,
    mongodb_name: str,
    tmp_path: Path,
) -> None:
    shared = {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "PARLEY_KAFKA_NAMESPACE": kafka_namespace,
        "PARLEY_MONGODB_URL": mongodb_url,
        "PARLEY_MONGODB_DATABASE": mongodb_name,
        "PARLEY_DEPLOYMENT_KEY": DEPLOYMENT_KEY,
        "PARLEY_SERVICE_KEY": SERVICE_KEY,
    }
    content = {"/": "nothing yet"}
    await create_topics(kafka_bootstrap, kafka_namespace)
    async with AsyncExitStack() as exits:
        origin = exits.enter_context(pages(lambda path: content.get(path, "")))
        http = await exits.enter_async_context(aiohttp.ClientSession())
        async with Publisher(kafka_bootstrap, kafka_namespace) as publisher:
            await publish_directory(publisher, origin)
        settings = load(ConversationSettings, shared)
        desk, _ = await exits.enter_async_context(running(CONVERSATION, settings))
        own = {
            "PARLEY_INGEST_PUBLIC_URL": "http://127.0.0.1:1",
            "PARLEY_INGEST_CONVERSATION_URL": desk,
            "PARLEY_INGEST_STORAGE_URL": (tmp_path / "attachments").as_uri(),
        }
        url, _ = await exits.enter_async_context(
            running(INGEST, load(IngestSettings, shared | own))
        )
        await ready(http, desk)
        await ready(http, url)
        content["/"] = PAGE.format(server=url, source=SOURCE, language="en")
        driver = await asyncio.to_thread(exits.enter_context, chromium())
        await tell(Widget(driver), Team(http, desk), origin)


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
