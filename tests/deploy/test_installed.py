"""The six services with exactly the environment that the overlay ``small`` gives them: the README's
first steps, the one trace that a message leaves, and what Grafana's boards show of it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from libs.devstack import Servers
from libs.runtime.settings import load
from parley.bootstrap import BootstrapSettings, bootstrap_workspace
from parley.client import ApiClient
from parley.keys import MIGRATE
from parley.migrate import migrate_all
from tests.support.deploy.boards import (
    panels_of_boards,
    scraped,
    unanswered,
    unknown_metrics,
)
from tests.support.deploy.installed import Installed
from tests.support.deploy.kubernetes import FOLDER, rendered
from tests.support.e2e.team import period
from tests.support.eventually import eventually
from tests.support.otlp import CollectedSpan, Collector, collecting

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

ORIGIN = "http://localhost:9000"
WORKSPACE = {
    "name": "My company",
    "owner_name": "Owner",
    "owner_email": "owner@example.com",
    "language": "en",
    "time_zone": "UTC",
}


@dataclass(frozen=True)
class Installation:
    installed: Installed
    owner: ApiClient
    collector: Collector
    account: tuple[str, str]

    async def connect_widget(self) -> str:
        """The id of a source for the pages of ``ORIGIN``."""
        location = (await self.owner.get("/v1/locations"))["items"][0]["location_id"]
        source = await self.owner.post(
            "/v1/sources",
            channel="widget",
            name="Site",
            location_id=location,
            allowed_origins=[ORIGIN],
        )
        return str(source["source_id"])

    async def write(self, source_id: str, text: str) -> None:
        """As the page with the widget does, for a new visitor."""
        ingest, http = self.installed.urls["ingest"], self.owner.session
        page = {"origin": ORIGIN}
        async with http.post(f"{ingest}/widget/{source_id}/session", json={}, headers=page) as made:
            assert made.status == 200, await made.text()
            visitor = await made.json()
        headers = {**page, "authorization": f"Bearer {visitor['token']}"}
        message = {"message_id": str(uuid.uuid4()), "text": text}
        hook = f"{ingest}/hooks/widget/{source_id}"
        async with http.post(hook, json=message, headers=headers) as answer:
            assert answer.status in (200, 201, 202), await answer.text()

    async def answered_and_closed(self, source_id: str, text: str) -> None:
        """A visitor's question, from New to Done."""
        await self.write(source_id, text)
        case = await eventually(lambda: self.case_in_new(text))
        path = f"/v1/conversations/{case['conversation_id']}"
        assert (await self.owner.post(f"{path}/take"))["case"]["state"] == "active"
        answer = await self.owner.post(f"{path}/messages", text="Hello! How can I help?")

        async def delivery() -> str:
            items = (await self.owner.get(f"{path}/timeline"))["items"]
            [mine] = [item for item in items if item["id"] == answer["item"]["id"]]
            return str(mine["delivery"]["state"])

        await eventually(delivery, lambda state: state == "sent")
        assert (await self.owner.post(f"{path}/close"))["case"]["state"] == "done"

    async def figures(self) -> Any:
        return await self.owner.get("/v1/metrics/summary", **period(datetime.now(UTC)))

    async def case_in_new(self, text: str) -> Any:
        page = await self.owner.get("/v1/conversations", tab="new")
        return next((r for r in page["items"] if r["last_message"]["preview"] == text), None)


@pytest.fixture(scope="module")
async def installation(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    unique = uuid.uuid4().hex[:8]
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(collecting())
        folder = tmp_path_factory.mktemp("installed")
        manifests = rendered(FOLDER / "overlays" / "small")
        installed = Installed(manifests, servers, folder, collector.url, unique)
        await migrate_all(installed.environments[MIGRATE])
        await asyncio.to_thread(installed.start)
        stack.push_async_callback(asyncio.to_thread, installed.stop)
        first = await bootstrap_workspace(
            load(BootstrapSettings, installed.cli), installed.urls["gateway"], WORKSPACE
        )
        owner = await stack.enter_async_context(ApiClient(installed.urls["gateway"]))
        account = (first.email, first.password or "")
        await owner.sign_in(*account)
        yield Installation(installed, owner, collector, account)


async def test_the_first_steps_of_the_readme(installation: Installation) -> None:
    source_id = await installation.connect_widget()
    script = f"{installation.installed.urls['ingest']}/widget.js"
    async with installation.owner.session.get(script) as served:
        assert served.status == 200

    await installation.answered_and_closed(source_id, "Is anybody there?")

    counted = await eventually(installation.figures, lambda told: told["closed"]["value"] == 1)
    assert counted["all"]["value"] == 1
    assert counted["time_to_respond"]["measured"] == 1
    assert counted["time_to_close"]["measured"] == 1


async def test_a_message_from_webhook_to_socket_is_one_trace(installation: Installation) -> None:
    source_id = await installation.connect_widget()

    async with installation.owner.live() as frames:
        await frames.until("ready")
        await installation.write(source_id, "Where does this go?")
        await frames.until("parley.message.received.v1")

    def trace() -> list[CollectedSpan]:
        return installation.collector.trace_of(f"POST /hooks/widget/{source_id}")

    def is_whole(spans: list[CollectedSpan]) -> bool:
        """From the hook's first span; of each service the one by which the message went on."""
        roots = [span.service for span in spans if not span.parent_id]
        steps = {(span.service, span.name.split(".")[-1]) for span in spans}
        return roots == ["parley-ingest"] and steps >= {
            ("parley-conversation", "conversation-inbound"),
            ("parley-gateway", "show event"),
        }

    spans = await eventually(trace, is_whole)
    ids = {span.span_id for span in spans}
    assert {span.parent_id for span in spans} - ids == {""}


async def test_every_panel_of_the_boards_answers(
    installation: Installation, tmp_path: Path
) -> None:
    source_id = await installation.connect_widget()

    async def told_after(question: str) -> Mapping[str, float]:
        """All services' series, after a question was answered while an agent looked on."""
        closed = (await installation.figures())["closed"]["value"]
        async with installation.owner.live() as frames:
            await frames.until("ready")
            await installation.answered_and_closed(source_id, question)
            await frames.until("parley.message.received.v1")
        await eventually(installation.figures, lambda told: told["closed"]["value"] > closed)
        await installation.owner.sign_in(*installation.account)
        urls = installation.installed.operations_urls
        return await scraped(installation.owner.session, urls)

    before = await told_after("Are you open?")
    after = await told_after("And on Sunday?")

    panels = [(f"{board}: {title}", query) for board, title, query in panels_of_boards()]
    assert len(panels) > 50
    assert unknown_metrics(after, [query for _, query in panels]) == set()
    assert unanswered(panels, before, after, tmp_path) == []
