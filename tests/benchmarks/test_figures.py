import json
from pathlib import Path

import pytest

from benchmarks.figures import GOALS, Figures, percentile, table, write
from benchmarks.usage import Usage, spent


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (1, 1), (0.1, 1)]
)
def test_a_percentile_is_the_value_of_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == expected


def test_a_percentile_of_few_values_is_one_of_them() -> None:
    assert percentile([3.0, 1.0], 50) == 1.0
    assert percentile([3.0, 1.0], 99) == 3.0
    assert percentile([7.0], 50) == 7.0


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_a_figure_stands_beside_the_bare_driver_and_their_ratio() -> None:
    figures = Figures()
    figures.beside("sustained_messages_per_s", 500.0, 2000.0)
    assert figures.values == {
        "sustained_messages_per_s": 500.0,
        "sustained_messages_per_s_limit": 2000.0,
        "sustained_messages_per_s_ratio": 0.25,
    }


def test_latencies_are_told_in_milliseconds_by_percentile() -> None:
    figures = Figures()
    figures.latencies("live", "_at_20", [0.010, 0.020], [0.001, 0.002])
    assert figures.values["live_p50_ms_at_20"] == pytest.approx(10)
    assert figures.values["live_p99_ms_at_20"] == pytest.approx(20)
    assert figures.values["live_p99_ms_at_20_limit"] == pytest.approx(2)
    assert figures.values["live_p99_ms_at_20_ratio"] == pytest.approx(10)


def test_a_figure_is_measured_once() -> None:
    figures = Figures()
    figures.put("one", 1)
    with pytest.raises(ValueError, match="one was measured already"):
        figures.put("one", 2)


def test_a_headline_repeats_a_figure_under_its_name() -> None:
    figures = Figures()
    figures.beside("webhook_accepts_per_s_at_64", 1.0, 2.0)
    figures.alias("webhook_accepts_per_s", "webhook_accepts_per_s_at_64")
    assert figures.values["webhook_accepts_per_s_limit"] == 2.0


def test_the_table_shows_each_figure_once_with_its_limit_ratio_and_goal() -> None:
    figures = Figures()
    figures.beside("sustained_messages_per_s", 1234.5, 2469.0)
    figures.put("sustained_cpu_s_ingest", 1.5)
    lines = table(figures.values).splitlines()
    assert [line.split() for line in lines] == [
        ["measured", "bare", "driver", "ratio", "goal"],
        ["sustained_messages_per_s", "1,234", "2,469", "0.50", "≥", "500"],
        ["sustained_cpu_s_ingest", "1.50"],
    ]
    # A right-aligned column ends where its head ends.
    assert lines[0].index("measured") + len("measured") == lines[2].index("1.50") + len("1.50")


def test_every_goal_is_in_the_table() -> None:
    values = dict.fromkeys(GOALS, 1.0)
    shown = table(values)
    assert all(f"{name} " in shown and goal in shown for name, goal in GOALS.items())


def test_the_file_holds_the_figures_flat_beside_what_they_are_of(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    write(path, {"webhook_p99_ms": 12.34567}, {"runs": 1, "commit": "abc"})
    assert json.loads(path.read_text()) == {
        "runs": 1,
        "commit": "abc",
        "figures": {"webhook_p99_ms": 12.346},
    }


def test_what_was_spent_is_the_cpu_between_and_the_memory_after() -> None:
    before = {"ingest": Usage(cpu_s=2.0, rss_mb=50.0)}
    after = {"ingest": Usage(cpu_s=5.5, rss_mb=70.0)}
    assert spent(before, after) == {"ingest": Usage(cpu_s=3.5, rss_mb=70.0)}
