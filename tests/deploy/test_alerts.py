"""The alerts of deploy/k8s: of metrics that there are, each with its page, firing and stopping."""

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import REGISTRY

from libs.runtime.settings import SERVICES
from tests.support.deploy.promtool import tried_by_promtool

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "deploy" / "k8s" / "components" / "monitoring" / "alerts.yaml"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
# What Prometheus puts beside a target's own labels, and a histogram beside its own.
GIVEN_LABELS: Final = frozenset({"job", "instance", "le"})

# Of each alert the series that make it fire: for an hour as here, then as in ``GOOD``. Values are
# promtool's: what it begins with, what it grows by each minute, how often.
BAD: Final[Mapping[str, Mapping[str, str]]] = {
    "ParleyWebhooksRefused": {
        'parley_http_requests_total{job="ingest",method="POST",route="/hooks/telegram/{source_id}",'
        'status="503"}': "0+6x60 360+0x120"
    },
    "ParleyPublishingStuck": {'parley_publish_failures_total{job="ingest"}': "0+1x60 60+0x120"},
    "ParleyLagGrows": {
        'parley_consumer_lag_messages{job="notify",group="notify",topic="parley.conversation",'
        'partition="3"}': "0+100x60 6000-200x30 0+0x90"
    },
    "ParleyUnpublishedCommits": {
        'parley_conversation_unpublished_commits{job="conversation"}': "7+0x60 0+0x120"
    },
    "ParleyStreamSetAside": {'parley_set_aside_streams{collection="commits"}': "1+0x60 0+0x120"},
    "ParleyDeadLetters": {
        'parley_dead_letters_total{job="notify",topic="parley.conversation",group="notify"}': (
            "_x45 1+0x135"
        )
    },
    "ParleyDeliveriesFail": {
        'parley_ingest_sent_total{channel="telegram",state="failed"}': "0+5x60 300+0x120",
        'parley_ingest_sent_total{channel="telegram",state="sent"}': "0+5x60 300+5x120",
    },
    "ParleyLiveSlow": {
        'parley_gateway_live_seconds_bucket{le="1.0"}': "0+1x60 60+100x120",
        'parley_gateway_live_seconds_bucket{le="5.0"}': "0+10x60 600+100x120",
        'parley_gateway_live_seconds_bucket{le="+Inf"}': "0+10x60 600+100x120",
    },
    "ParleySocketsReload": {'parley_gateway_live_gaps_total{job="gateway"}': "0+1x60 60+0x120"},
    "ParleyNewerVersion": {
        'parley_consumer_stopped_partitions{job="notify",topic="parley.conversation",group="notify",'
        'partition="1"}': "1+0x60 0+0x120"
    },
    "ParleyStoreAway": {
        'parley_consumer_retries_total{job="analytics",group="analytics"}': "0+6x60 360+0x120"
    },
    "ParleyAnchorsStandStill": {
        'parley_conversation_commits_total{job="conversation"}': "0+9x60 540+9x120",
        'parley_conversation_anchors_total{job="conversation"}': "5+0x60 5+1x120",
    },
    "ParleyMailWaits": {'parley_notify_emails_waiting{job="notify"}': "500+0x60 0+0x120"},
    "ParleyCrmWaits": {'parley_notify_crm_waiting{job="notify"}': "500+0x60 0+0x120"},
    "ParleyApiFails": {
        'parley_http_requests_total{job="gateway",method="GET",route="/v1/conversations",'
        'status="500"}': "0+1x60 60+0x120",
        'parley_http_requests_total{job="gateway",method="GET",route="/v1/conversations",'
        'status="200"}': "0+50x180",
    },
    "ParleyApiSlow": {
        'parley_http_request_seconds_bucket{job="gateway",route="/v1/conversations",le="1.0"}': (
            "0+1x60 60+100x120"
        ),
        'parley_http_request_seconds_bucket{job="gateway",route="/v1/conversations",le="2.5"}': (
            "0+1x60 60+100x120"
        ),
        'parley_http_request_seconds_bucket{job="gateway",route="/v1/conversations",le="5.0"}': (
            "0+10x60 600+100x120"
        ),
        'parley_http_request_seconds_bucket{job="gateway",route="/v1/conversations",le="+Inf"}': (
            "0+10x60 600+100x120"
        ),
    },
    "ParleyCertificateEnds": {
        # promtool begins at 1970: ends in ten days, and then a year later, of its successor.
        'parley_certificate_ends_timestamp_seconds{job="ingest",certificate="kafka-ca"}': (
            "864000+0x60 32400000+0x120"
        )
    },
    "ParleyApiTokensEnd": {
        'parley_gateway_api_tokens_ending{job="gateway"}': "1+0x60 0+0x120",
    },
    "ParleyLeftOut": {'parley_not_followed_total{job="gateway",what="live"}': "_x45 1+0x135"},
}


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(RULES.read_text())["spec"]["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


ALERTS: Final = {rule["alert"]: rule for rule in rules()}


def metrics() -> dict[str, set[str]]:
    """Each sample's name and its labels, as the services declare them."""
    for service in SERVICES:
        importlib.import_module(f"services.{service}.metrics")
    importlib.import_module("libs.runtime.metrics")
    known: dict[str, set[str]] = {}
    for collector in list(REGISTRY._collector_to_names):
        names = REGISTRY._collector_to_names[collector]
        labels = set(getattr(collector, "_labelnames", ()))
        known |= {name: labels for name in names if name.startswith("parley_")}
    return known


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")}

    assert pages == ALERTS.keys()
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"docs/runbooks/{name}.md"
        title = (RUNBOOKS / f"{name}.md").read_text().splitlines()[0]
        assert title == f"# {name}: {rule['annotations']['summary']}"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_asks_for_metrics_that_there_are(name: str) -> None:
    known, expression = metrics(), ALERTS[name]["expr"]
    asked = set(re.findall(r"\bparley_[a-z_]+", expression))

    assert asked
    assert asked <= known.keys()
    labels = set().union(*(known[metric] for metric in asked)) | GIVEN_LABELS
    selected = re.findall(r"by \(([^)]*)\)", expression)
    grouped = {label.strip() for part in selected for label in part.split(",")}
    matched = set(re.findall(r'([a-z_]+)(?:=|!=|=~|!~)"', expression))
    assert grouped | matched <= labels


@pytest.mark.parametrize("name", BAD)
def test_a_tests_series_are_ones_that_services_give(name: str) -> None:
    known = metrics()
    for series in BAD[name]:
        metric, _, labels = series.partition("{")
        given = set(re.findall(r'([a-z_]+)="', labels)) - GIVEN_LABELS
        assert given <= known[metric], series


def test_each_alert_is_tried() -> None:
    assert BAD.keys() == ALERTS.keys()


def test_alerts_fire_and_stop(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "parley", "rules": list(ALERTS.values())}]})
    )
    tests = [tried(name, series) for name, series in BAD.items()]
    told = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}

    assert tried_by_promtool(told, tmp_path) == ""


def tried(name: str, series: Mapping[str, str]) -> dict[str, Any]:
    """Fires within the bad hour, and not any more at the end of the good ones."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [
            {"expr": firing(name), "eval_time": "58m", "exp_samples": one_sample(name)},
            {"expr": firing(name), "eval_time": "175m", "exp_samples": []},
        ],
    }


def firing(name: str) -> str:
    return f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}})'


def one_sample(name: str) -> Sequence[Mapping[str, Any]]:
    return [{"labels": f'{{alertname="{name}"}}', "value": 1}]
