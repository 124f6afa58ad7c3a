"""Grafana's boards of deploy/k8s, and their queries on what the services told."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.support.deploy.kubernetes import FOLDER
from tests.support.deploy.promtool import tried_by_promtool

BOARDS: Final = FOLDER / "components" / "monitoring" / "boards"


def panels_of_boards() -> Iterator[tuple[str, str, str]]:
    """Board, panel and query of each."""
    for path in sorted(BOARDS.glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield board["title"], panel["title"], target["expr"]


async def scraped(session: aiohttp.ClientSession, urls: Mapping[str, str]) -> dict[str, float]:
    """Every series as Prometheus keeps it, by its name with labels; ``urls`` by service."""
    told: dict[str, float] = {}
    for service, url in urls.items():
        async with session.get(f"{url}/metrics") as answer:
            assert answer.status == 200
            text = await answer.text()
        for family in text_string_to_metric_families(text):
            # A metric with labels has no series before it moved; its name is known all the same.
            told.setdefault(f"{family.name}", 0)
            told.setdefault(f"{family.name}_total", 0)
            for sample in family.samples:
                labels = {**sample.labels, "job": service}
                written = ",".join(f"{n}={json.dumps(v)}" for n, v in sorted(labels.items()))
                told[f"{sample.name}{{{written}}}"] = sample.value
    return told


def unknown_metrics(told: Mapping[str, float], queries: Sequence[str]) -> set[str]:
    """What the queries ask for and no service tells of."""
    known = {series.partition("{")[0] for series in told}
    asked = set().union(*(re.findall(r"\b(?:parley|process)_[a-z_]+", one) for one in queries))
    return asked - known


def unanswered(
    panels: Sequence[tuple[str, str]],
    before: Mapping[str, float],
    after: Mapping[str, float],
    folder: Path,
) -> list[str]:
    """The panels whose query answers nothing, or no number, once ``before`` became ``after``."""
    series = [
        {"series": one, "values": f"{before.get(one, 0):f}+0x15 {value:f}+0x15"}
        for one, value in after.items()
        if "{" in one
    ]
    numbers = [f"count(({query}) >= 0)" for _, query in panels]
    answered = [f"({number}) > bool 0" for number in numbers]
    tests = [{"expr": e, "eval_time": "18m", "exp_samples": ONE} for e in answered]
    told = {
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}],
    }
    complaints = tried_by_promtool(told, folder)
    return [
        f"{title}: {query}"
        for (title, query), expr in zip(panels, answered, strict=True)
        if complaints and expr in complaints
    ] or ([complaints] if complaints else [])


ONE: Final = [{"labels": "{}", "value": 1}]
