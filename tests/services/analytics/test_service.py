"""The whole service: events from the real Kafka, figures over HTTP."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.events.directory import DirectoryState, LocationState, MemberState, Role
from libs.events.topics import Topic
from libs.runtime.broker import publishing
from libs.runtime.http import ServiceClient
from libs.runtime.kafka import Outgoing, Publisher, outgoing
from libs.runtime.process import running
from libs.runtime.settings import SettingsError, load
from libs.runtime.topics import create_topics
from services.analytics.app import SERVICE
from services.analytics.migrate import migrate
from services.analytics.settings import AnalyticsSettings
from tests.support.analytics.stories import START, Story
from tests.support.eventually import eventually
from tests.support.kafka import publish_state, read_records
from tests.support.trust import SERVICE_KEYS, tokens_of

pytestmark = pytest.mark.servers

TOKENS = tokens_of("gateway")
PERIOD = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}


DIRECTORY: dict[str, DirectoryState] = {
    "mem_a": MemberState(member_id="mem_a", name="Ann", email="a@x.example", role=Role.ANALYST),
    "mem_kyiv": MemberState(
        member_id="mem_kyiv",
        name="Kateryna",
        email="k@x.example",
        role=Role.ANALYST,
        location_ids=("loc_kyiv",),
    ),
    "loc_kyiv": LocationState(location_id="loc_kyiv", name="Kyiv", time_zone="Europe/Kyiv"),
    "loc_ny": LocationState(location_id="loc_ny", name="New York", time_zone="America/New_York"),
    "loc_boston": LocationState(
        location_id="loc_boston", name="Boston", time_zone="America/New_York"
    ),
}


@pytest.fixture
async def environment(
    kafka_bootstrap: str, kafka_namespace: str, clickhouse_dsn: str, clickhouse_database: str
) -> dict[str, str]:
    await create_topics(
        kafka_bootstrap, kafka_namespace, topics=[Topic.CONVERSATION, Topic.DIRECTORY]
    )
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        for number, (key, one) in enumerate(DIRECTORY.items(), 1):
            await publish_state(publisher, one, key, "wsp_a", number)
    return {
        "PARLEY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "PARLEY_KAFKA_NAMESPACE": kafka_namespace,
        "PARLEY_DEPLOYMENT_KEY": bytes(range(32)).hex(),
        **SERVICE_KEYS,
        "PARLEY_ANALYTICS_CLICKHOUSE_DSN": clickhouse_dsn,
        "PARLEY_ANALYTICS_CLICKHOUSE_DATABASE": clickhouse_database,
        "PARLEY_ANALYTICS_FLUSH_INTERVAL_SECONDS": "0.1",
    }


@pytest.fixture
async def publisher(kafka_bootstrap: str, kafka_namespace: str) -> AsyncIterator[Publisher]:
    async with publishing(kafka_bootstrap, kafka_namespace) as publisher:
        yield publisher


class Analyst:
    def __init__(self, client: ServiceClient, workspace_id: str = "wsp_a") -> None:
        self._client = client
        self._workspace_id = workspace_id

    async def get(
        self,
        path: str,
        query: dict[str, str],
        actions: tuple[str, ...] = ("see_metrics",),
        member_id: str = "mem_a",
    ) -> tuple[int, Any]:
        status, body, _headers = await self._client.call(
            "GET",
            path,
            workspace_id=self._workspace_id,
            member_id=member_id,
            actions=actions,
            query=query,
        )
        return status, json.loads(body)

    async def summary_when(self, is_there: Callable[[Any], bool]) -> Any:
        async def look() -> Any:
            status, summary = await self.get("/v1/metrics/summary", PERIOD)
            # Before the directory has told of the member, nobody is answered.
            assert status in (200, 503), summary
            return summary if status == 200 and is_there(summary) else None

        return await eventually(look)


@pytest.fixture
async def analyst(environment: dict[str, str]) -> AsyncIterator[Analyst]:
    async with (
        running(SERVICE, load(AnalyticsSettings, environment)) as (url, _failure),
        ServiceClient("analytics", url, TOKENS) as client,
    ):
        analyst = Analyst(client)
        await analyst.summary_when(lambda _: True)
        yield analyst


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


async def test_who_is_limited_to_a_location_gets_its_figures_alone(
    analyst: Analyst, publisher: Publisher
) -> None:
    for name, location in (("a", "loc_kyiv"), ("b", "loc_ny"), ("c", "loc_ny")):
        story = Story("wsp_a", name).at(location, None).writes(0).takes("mem_a").answers("mem_a")
        await publisher.publish([outgoing(event) for event in story.events])
    await analyst.summary_when(lambda s: s["all"]["value"] == 3)

    _, summary = await analyst.get("/v1/metrics/summary", PERIOD, member_id="mem_kyiv")
    assert (summary["all"]["value"], summary["time_to_respond"]["measured"]) == (1, 1)
    for by in ("location", "member", "source", "channel", "group"):
        query = {**PERIOD, "by": by}
        _, performance = await analyst.get("/v1/metrics/performance", query, member_id="mem_kyiv")
        assert [row["all"] for row in performance["items"]] == [1], by
    status, problem = await analyst.get("/v1/metrics/summary", PERIOD, member_id="mem_nobody")
    assert (status, problem["type"]) == (503, "urn:parley:problem:unavailable")


async def test_days_are_those_of_the_workspace(analyst: Analyst, publisher: Publisher) -> None:
    # Three cases on Kyiv's 29 March 2025, the first and the last at its edges; one before it.
    for name, at in (
        ("a", "2025-03-29T00:10:00+02:00"),
        ("b", "2025-03-29T12:00:00+02:00"),
        ("c", "2025-03-29T23:50:00+02:00"),
        ("d", "2025-03-28T23:50:00+02:00"),
        ("e", "2025-03-30T23:50:00+03:00"),
    ):
        story = Story("wsp_a", name).at("loc_kyiv", None)
        story.now = datetime.fromisoformat(at).astimezone(UTC)
        await publisher.publish([outgoing(event) for event in story.writes(0).events])
    whole = {"from": "2025-03-28", "to": "2025-03-31", "time_zone": "Europe/Kyiv"}
    await eventually(
        lambda: analyst.get("/v1/metrics/summary", whole),
        lambda answer: answer[1]["all"]["value"] == 5,
    )

    for bounds in (
        {"from": "2025-03-30T00:00:00+02:00", "to": "2025-03-31T00:00:00+03:00"},
        {"from": "2025-03-30", "to": "2025-03-31"},
    ):
        _, summary = await analyst.get("/v1/metrics/summary", bounds, member_id="mem_kyiv")
        assert summary["time_zone"] == "Europe/Kyiv"
        assert summary["all"] == {"value": 1, "previous": 3, "change_percent": -67}
        assert summary["previous_from"] == "2025-03-28T22:00:00Z"
        assert summary["previous_to"] == "2025-03-29T22:00:00Z"
    # who sees all locations has the zone of most of them, unless they ask for another
    _, most = await analyst.get("/v1/metrics/summary", bounds)
    assert most["time_zone"] == "America/New_York"
    for zone in ("Mars/Phobos", "localtime", "../etc/passwd", "Factory", ""):
        query = {**PERIOD, "time_zone": zone}
        status, problem = await analyst.get("/v1/metrics/summary", query)
        assert (status, problem["errors"][0]["field"]) == (422, "time_zone"), zone
    for wrong in ("2025-02-30", "2025-3-1", "0001-01-01", "9999-12-31", "20250301"):
        status, _ = await analyst.get("/v1/metrics/summary", {"from": wrong, "to": "2025-03-31"})
        assert status == 422, wrong


async def test_a_wrong_address_is_named_at_the_start(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"PARLEY_ANALYTICS_CLICKHOUSE_DSN is wrong"):
        load(AnalyticsSettings, environment | {"PARLEY_ANALYTICS_CLICKHOUSE_DSN": "host:9000"})


async def test_an_embedded_engine_is_left_to_the_service(environment: dict[str, str]) -> None:
    said = await migrate(load(AnalyticsSettings, environment))

    assert said == "ClickHouse is embedded, the service migrates it when it starts"


def test_the_period_of_these_tests_is_the_stories() -> None:
    assert PERIOD["from"] == START.isoformat().replace("+00:00", "Z")
