"""The whole service: events from the real Kafka, figures over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from libs.events.topics import Topic
from libs.runtime.http import ServiceClient
from libs.runtime.kafka import Outgoing, Publisher, outgoing
from libs.runtime.process import running
from libs.runtime.settings import SettingsError, load
from libs.runtime.tokens import ServiceTokens
from libs.runtime.topics import create_topics
from services.analytics.app import SERVICE
from services.analytics.migrate import migrate
from services.analytics.settings import AnalyticsSettings
from tests.services.analytics.stories import START, Story
from tests.support.kafka import read_records

pytestmark = pytest.mark.servers

SERVICE_KEY = bytes(range(32, 64))
TOKENS = ServiceTokens(SERVICE_KEY, "gateway")
PERIOD = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}


@pytest.fixture
async def environment(
    kafka_bootstrap: str, kafka_namespace: str, clickhouse_dsn: str, clickhouse_database: str
) -> dict[str, str]:
    await create_topics(kafka_bootstrap, kafka_namespace, topics=[Topic.CONVERSATION])
    return {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "PARLEY_KAFKA_NAMESPACE": kafka_namespace,
        "PARLEY_DEPLOYMENT_KEY": bytes(range(32)).hex(),
        "PARLEY_SERVICE_KEY": SERVICE_KEY.hex(),
        "PARLEY_ANALYTICS_CLICKHOUSE_DSN": clickhouse_dsn,
        "PARLEY_ANALYTICS_CLICKHOUSE_DATABASE": clickhouse_database,
        "PARLEY_ANALYTICS_FLUSH_INTERVAL_SECONDS": "0.1",
    }


@pytest.fixture
async def publisher(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Publisher]:
    async with Publisher(kafka_bootstrap, kafka_namespace) as publisher:
        yield publisher


class Analyst:
    def __init__(self, client: ServiceClient, workspace_id: str = "wsp_a") -> None:
        self._client = client
        self._workspace_id = workspace_id

    async def get(
        self, path: str, query: dict[str, str], actions: tuple[str, ...] = ("see_metrics",)
    ) -> tuple[int, Any]:
        status, body, _headers = await self._client.call(
            "GET",
            path,
            workspace_id=self._workspace_id,
            member_id="mem_a",
            actions=actions,
            query=query,
        )
        return status, json.loads(body)

    async def summary_when(self, is_there: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(20):
            while True:
                status, summary = await self.get("/v1/metrics/summary", PERIOD)
                assert status == 200, summary
                if is_there(summary):
                    return summary
                await asyncio.sleep(0.05)


@pytest.fixture
async def analyst(environment: dict[str, str]) -> AsyncIterator[Analyst]:
    async with (
        running(SERVICE, load(AnalyticsSettings, environment)) as (url, _failure),
        ServiceClient("analytics", url, TOKENS) as client,
    ):
        yield Analyst(client)


async def test_what_happened_shows_in_the_figures_once_however_often_it_is_told(
    analyst: Analyst, publisher: Publisher
) -> None:
    story = Story("wsp_a").writes(0).takes("mem_a", 2).answers("mem_a", 1).closes("mem_a", 57)
    messages = [outgoing(event) for event in story.events]

    await publisher.publish(messages + messages)
    await publisher.publish(messages)
    await publisher.publish([outgoing(e) for e in Story("wsp_a", "last").writes(0).events])

    summary = await analyst.summary_when(
        lambda s: (s["all"]["value"], s["closed"]["value"]) == (2, 1)
    )
    assert summary["closed"]["value"] == 1
    assert summary["time_to_respond"]["average"]["text"] == "3m 00s"
    assert summary["time_to_respond"]["measured"] == 1
    assert summary["time_to_close"]["average"]["seconds"] == 3600
    assert summary["response_rate_by_cases"]["text"] == "50 %"
    status, performance = await analyst.get("/v1/metrics/performance", {**PERIOD, "by": "member"})
    assert status == 200
    rows = {row["key"]: row for row in performance["items"]}
    assert rows["mem_a"]["response_rate"]["text"] == "100 %"
    assert rows[None]["all"] == 1


async def test_a_poison_message_goes_to_the_dead_letters_and_the_partition_goes_on(
    analyst: Analyst, publisher: Publisher, kafka_bootstrap: str, kafka_namespace: str
) -> None:
    story = Story("wsp_a").writes(0)
    good = outgoing(story.events[0])
    poison = Outgoing(good.topic, good.key, b"{not json", good.headers)

    await publisher.publish([poison, *map(outgoing, story.events)])

    await analyst.summary_when(lambda s: s["all"]["value"] == 1)
    dead = await read_records(
        kafka_bootstrap, kafka_namespace + Topic.CONVERSATION.dead_letter, lambda r: len(r) >= 1
    )
    assert [one.value for one in dead] == [b"{not json"]


async def test_a_restart_goes_on_where_it_was(
    environment: dict[str, str], publisher: Publisher
) -> None:
    story = Story("wsp_a").writes(0)
    for minutes in (1, 2):
        await publisher.publish([outgoing(event) for event in story.events])
        async with (
            running(SERVICE, load(AnalyticsSettings, environment)) as (url, _failure),
            ServiceClient("analytics", url, TOKENS) as client,
        ):
            expected = len(story.cases)
            await Analyst(client).summary_when(lambda s: s["all"]["value"] == expected)  # noqa: B023
        story.takes("mem_a").closes("mem_a").writes(minutes)


async def test_a_question_that_cannot_be_read_is_refused_in_words(analyst: Analyst) -> None:
    for query, sentence in (
        ({}, "from: is missing"),
        ({"from": "yesterday", "to": PERIOD["to"]}, "from: must be a time with its zone"),
        ({"from": "2026-03-01T00:00:00", "to": PERIOD["to"]}, "from: must be a time with its zone"),
        ({"from": PERIOD["to"], "to": PERIOD["from"]}, "to: must be later than from"),
        ({"from": "2001-01-01T00:00:00Z", "to": PERIOD["to"]}, "at most ten years"),
    ):
        status, problem = await analyst.get("/v1/metrics/summary", query)

        assert status == 422
        assert sentence in problem["detail"]
    for by in ("workspace", "case_id"):
        status, problem = await analyst.get("/v1/metrics/performance", {**PERIOD, "by": by})

        assert (status, problem["type"]) == (422, "urn:parley:problem:invalid")


async def test_only_those_who_see_metrics_see_them(analyst: Analyst) -> None:
    status, problem = await analyst.get("/v1/metrics/summary", PERIOD, actions=("read",))

    assert (status, problem["type"]) == (403, "urn:parley:problem:forbidden")


async def test_a_wrong_address_is_named_at_the_start(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"PARLEY_ANALYTICS_CLICKHOUSE_DSN is wrong"):
        load(AnalyticsSettings, environment | {"PARLEY_ANALYTICS_CLICKHOUSE_DSN": "host:9000"})


async def test_an_embedded_engine_is_left_to_the_service(environment: dict[str, str]) -> None:
    said = await migrate(load(AnalyticsSettings, environment))

    assert said == "ClickHouse is embedded, the service migrates it when it starts"


def test_the_period_of_these_tests_is_the_stories() -> None:
    assert PERIOD["from"] == START.isoformat().replace("+00:00", "Z")
